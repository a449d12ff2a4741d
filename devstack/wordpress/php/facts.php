<?php
/**
 * Reads PHP files as PHP does and prints what the tests ask about them, as JSON by file.
 *
 * echoed: each argument of each echo, as "literal", as "name()" for one call, else as it is written.
 * translated: text and text domain of each call of a translating function; null for what is no literal.
 */

declare(strict_types=1);

const TRANSLATING = ['__', '_e', 'esc_html__', 'esc_attr__', 'esc_html_e', 'esc_attr_e'];

/** @return list<PhpToken> without blanks and comments */
function tokens_of(string $file): array
{
    $tokens = PhpToken::tokenize(file_get_contents($file), TOKEN_PARSE);
    return array_values(array_filter($tokens, fn (PhpToken $token): bool => !$token->isIgnorable()));
}

/**
 * @param list<PhpToken> $tokens
 * @return array{list<list<PhpToken>>, int} what stands between the commas from $at on, and where it ends
 */
function arguments_from(array $tokens, int $at): array
{
    $arguments = [[]];
    for ($depth = 0; $depth > 0 || !$tokens[$at]->is([';', ')', ']']); $at++) {
        $depth += $tokens[$at]->is(['(', '[', '{']) ? 1 : ($tokens[$at]->is([')', ']', '}']) ? -1 : 0);
        if ($depth === 0 && $tokens[$at]->is(',')) {
            $arguments[] = [];
        } else {
            $arguments[array_key_last($arguments)][] = $tokens[$at];
        }
    }
    return [$arguments, $at];
}

/** @param list<PhpToken> $argument */
function shape_of(array $argument): string
{
    if (count($argument) === 1 && $argument[0]->is(T_CONSTANT_ENCAPSED_STRING)) {
        return 'literal';
    }
    if ($argument[0]->is(T_STRING) && $argument[1]->is('(')) {
        $behind = arguments_from([...$argument, new PhpToken(ord(';'), ';')], 2)[1] + 1;
        return $behind === count($argument) ? $argument[0]->text . '()' : implode(' ', $argument);
    }
    return implode(' ', $argument);
}

/** @param list<PhpToken> $argument */
function literal_of(array $argument): ?string
{
    $literal = count($argument) === 1 && $argument[0]->is(T_CONSTANT_ENCAPSED_STRING);
    return $literal ? eval('return ' . $argument[0]->text . ';') : null;
}

$facts = [];
foreach (array_slice($argv, 1) as $file) {
    $tokens = tokens_of($file);
    $facts[$file] = ['echoed' => [], 'translated' => []];
    foreach ($tokens as $at => $token) {
        if ($token->is(T_ECHO)) {
            $shapes = array_map(shape_of(...), arguments_from($tokens, $at + 1)[0]);
            $facts[$file]['echoed'] = [...$facts[$file]['echoed'], ...$shapes];
        } elseif ($token->is(T_STRING) && in_array($token->text, TRANSLATING, true) && $tokens[$at + 1]->is('(')) {
            $arguments = array_map(literal_of(...), array_filter(arguments_from($tokens, $at + 2)[0]));
            $facts[$file]['translated'][] = ['text' => $arguments[0], 'domain' => $arguments[1] ?? null];
        }
    }
}
echo json_encode($facts, JSON_THROW_ON_ERROR);
