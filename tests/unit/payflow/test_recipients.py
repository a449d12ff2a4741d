"""The right mailbox, and never a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payflow.model import CustomerId, Person
from payflow.recipients import mapping
from payflow.recipients.addresses import is_placeholder, mailable, normalized
from payflow.recipients.choice import AddressSource, Known, Recipient, choose_recipients, name_key
from payflow.state import Reason

ANA = CustomerId("ana")
PERSON = Person(
    id=ANA,
    name="Ana  CONCEIÇÃO",
    document="",
    emails=("ana@medica.com.br",),
    billing_emails=("contas@medica.com.br",),
    other_contacts=(("Secretaria", "sec@medica.com.br"),),
)
NOBODY = replace(PERSON, emails=(), billing_emails=())
KNOWN = Known(by_customer={}, by_name={"ana conceicao": ("mapa@medica.com.br",)})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ana@Medica.COM.br ", "Ana@medica.com.br"),
        ("<ana@medica.com.br>", "ana@medica.com.br"),
        ("ana@médica.com.br", "ana@xn--mdica-bsa.com.br"),
        ("ana", ""),
        ("ana@", ""),
        ("@medica.com.br", ""),
        ("ana@medica", ""),
        ("ana@127.0.0.1", ""),
        ("ana@[127.0.0.1]", ""),
        ('"ana doc"@medica.com.br', ""),
        ("ana..x@medica.com.br", ""),
        ("ana@medica.com.br\r\nRCPT TO:<x@evil.example>", ""),
        ("ana>@medica.com.br", ""),
        ("aná@medica.com.br", ""),
        ("a" * 65 + "@medica.com.br", ""),
        ("ana@" + "a." * 130 + "br", ""),
        ("ana@-x.com", ""),
        ("ana@x..com", ""),
    ],
)
def test_an_address_is_plain_or_none(text: str, address: str) -> None:
    """Nothing that could end a command or a header."""
    assert normalized(text) == address


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_not(text: str) -> None:
    """Total; what comes out has one line and one @."""
    found = normalized(text)

    assert not found or (found.isascii() and found.isprintable() and " " not in found and "<" not in found)


def test_placeholders_are_no_addresses() -> None:
    """What an office types where there is none; several addresses in one field are several."""
    assert all(map(is_placeholder, ["naotem@clinica.com.br", "sem-email@x.com.br", "a@teste.com", "No-Reply@x.com"]))
    assert not is_placeholder("ana.teste@medica.com.br")
    assert mailable(["a@x.com.br, b@x.com.br;a@x.com.br", "naotem@x.com.br", "nada"]) == ("a@x.com.br", "b@x.com.br")


@pytest.mark.parametrize(
    ("person", "known", "namesakes", "expected"),
    [
        (PERSON, replace(KNOWN, by_customer={ANA: ("m@x.com.br",)}), 0, (("m@x.com.br",), AddressSource.MAP)),
        (PERSON, KNOWN, 0, (("contas@medica.com.br",), AddressSource.BILLING)),
        (replace(PERSON, billing_emails=("naotem@x.com",)), KNOWN, 0, (("ana@medica.com.br",), AddressSource.EMAIL)),
        (NOBODY, KNOWN, 1, (("mapa@medica.com.br",), AddressSource.NAME)),
    ],
)
def test_the_sources_are_asked_in_order(
    person: Person, known: Known, namesakes: int, expected: tuple[tuple[str, ...], AddressSource]
) -> None:
    """The first that has an address."""
    found = choose_recipients(ANA, person, known, namesakes=namesakes)

    assert (found.addresses, found.source) == expected


@pytest.mark.parametrize("namesakes", [0, 2])
def test_an_ambiguous_name_is_never_guessed(namesakes: int) -> None:
    """Held, with the other contacts as an offer."""
    found = choose_recipients(ANA, NOBODY, KNOWN, namesakes=namesakes)

    assert found == Recipient(reason=Reason.NO_RECIPIENT, offered=PERSON.other_contacts)


def test_a_customer_without_a_person_is_held() -> None:
    """Deleted in the ERP."""
    assert choose_recipients(ANA, None, KNOWN, namesakes=0).reason is Reason.NO_RECIPIENT


def test_a_suppressed_address_is_passed_over() -> None:
    """The next source is asked."""
    known = replace(KNOWN, suppressed=lambda address: address == "contas@medica.com.br")

    assert choose_recipients(ANA, PERSON, known, namesakes=0).source is AddressSource.EMAIL


def test_who_wants_no_mail_gets_none() -> None:
    """Also where the map has an address."""
    known = replace(KNOWN, no_mail=frozenset({ANA}), by_customer={ANA: ("m@x.com.br",)})

    assert choose_recipients(ANA, PERSON, known, namesakes=0) == Recipient(reason=Reason.NO_MAIL)


@pytest.mark.parametrize(
    "doubt", [replace(KNOWN, customers_of=lambda _: 5), replace(KNOWN, company_address="Contas@medica.com.br")]
)
def test_a_shared_address_is_confirmed_once(doubt: Known) -> None:
    """Five customers, or the clinic's own: a person looks; what was confirmed or mapped is used."""
    held = choose_recipients(ANA, PERSON, doubt, namesakes=0)
    assert (held.reason, held.offered) == (Reason.SHARED_ADDRESS, (("", "contas@medica.com.br"),))

    confirmed = replace(doubt, confirmed=lambda _: True)
    mapped = replace(doubt, by_customer={ANA: ("contas@medica.com.br",)})
    assert choose_recipients(ANA, PERSON, confirmed, namesakes=0).source is AddressSource.BILLING
    assert choose_recipients(ANA, PERSON, mapped, namesakes=0).source is AddressSource.MAP


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_map_is_read_from_a_spreadsheets_file(delimiter: str) -> None:
    """By id or name; several lines of one customer are several addresses; refused lines say why."""
    lines = [
        "\N{ZERO WIDTH NO-BREAK SPACE}Nome,Cliente_ID,E-mail,Obs",
        "Ana,ana,a@x.com.br,x",
        "Ana,ana,b@x.com.br,",
        "José  Ção,,j@x.com.br,",
        "Bia,bia,nada,",
        "Bia,bia,naotem@x.com.br,",
        ",,c@x.com.br,",
        ",,,",
    ]

    found = mapping.read_map("\n".join(lines).replace(",", delimiter))

    assert found.by_customer == {"ana": ("a@x.com.br", "b@x.com.br")}
    assert found.by_name == {name_key("jose cao"): ("j@x.com.br",)}
    assert [line for line, _ in found.refused] == [5, 6, 7, 8]
    assert len({reason for _, reason in found.refused}) == 4


@pytest.mark.parametrize("text", ["", "nome;telefone\nAna;1", "email\na@x.com.br"])
def test_a_file_without_the_columns_is_refused_as_a_whole(text: str) -> None:
    """And says what is missing."""
    assert mapping.read_map(text).refused[0][0] == 1


def test_a_file_that_is_too_long_says_so() -> None:
    """The rest is not silently dropped."""
    text = "id,email\n" + "a,a@x.com.br\n" * (mapping.ROWS_MAX + 1)

    assert mapping.read_map(text).refused == [(mapping.ROWS_MAX + 2, f"only {mapping.ROWS_MAX} lines are read")]


def test_a_name_with_several_addresses_is_nobodys() -> None:
    """Two people may have it; the ERP knowing one of them makes none of the addresses right."""
    found = mapping.read_map("nome,email\nAna Lima,a@x.com.br\nANA LIMA,A@x.com.br\nBia,b@x.com.br\nbia,c@x.com.br\n")

    assert found.by_name == {"ana lima": ("a@x.com.br",)}
    assert [line for line, _ in found.refused] == [4, 5]


@pytest.mark.parametrize(
    "text",
    [
        'nome;email\n"Ana;a@x.com.br\nBia;b@x.com.br\n',
        "nome;cliente;email\nAna;Bia;a@x.com.br",
        "nome;endereço;email\nAna;Rua 1;a@x.com.br",
    ],
)
def test_a_file_that_can_be_read_in_two_ways_maps_nothing(text: str) -> None:
    """An open quote swallows the lines behind it; of two columns for one thing neither is guessed."""
    found = mapping.read_map(text)
    assert (found.by_name, [line for line, _ in found.refused]) == ({}, [1])


def test_a_separator_without_quotes_shifts_no_cell() -> None:
    """The name would be another person's."""
    assert mapping.read_map("email,nome\na@x.com.br,Lima, Ana\n").refused == [(2, "more cells than columns")]


def test_a_mailbox_in_two_spellings_gets_one_mail() -> None:
    """Capitals do not count."""
    assert mailable(["Ana@Medica.com.br; ana@medica.com.br", "bia@medica.com.br"]) == (
        "Ana@medica.com.br",
        "bia@medica.com.br",
    )
