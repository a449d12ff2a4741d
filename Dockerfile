# The service as a container, for those who do not use the Functions plan. docs/deploy.md says when, and how.
#
#   python3 -m devstack package --python 3.12
#   docker build --tag ballx-distributor .
#
# The image holds the very package that `az functionapp deploy` uploads, on the platform's own base image. The tag of the base
# moves with security updates; the workflow records the digest it built on.
FROM mcr.microsoft.com/azure-functions/python:4-python3.12 AS package
COPY dist/app.zip /app.zip
RUN ["python3", "-m", "zipfile", "-e", "/app.zip", "/app"]

FROM mcr.microsoft.com/azure-functions/python:4-python3.12
COPY --from=package /app /home/site/wwwroot

# The host writes logs and temporary files, and nothing of ours: the app's folder stays root's.
RUN mkdir -p /home/LogFiles /home/data /home/ASP.NET /local/sitepackages /tmp/metrics \
    && chown -R 10001:10001 /home/LogFiles /home/data /home/ASP.NET /local /tmp/metrics

# The port is above 1024 because the user is not root. Host and worker find the app by the root. PYTHONPATH is for the module
# below, which leaves the libraries on it: outside Azure the worker looks for none. In a container nobody takes a forged sign-in
# header away, so the console does not read it there.
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    ASPNETCORE_URLS=http://+:8080 \
    CONSOLE_IN_CONTAINER=1 \
    PYTHONPATH=/home/site/wwwroot:/home/site/wwwroot/.python_packages/lib/site-packages
WORKDIR /home/site/wwwroot
USER 10001:10001
EXPOSE 8080

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]

# Fetches the settings from the vault of KEYVAULT_URI, then becomes the host.
ENTRYPOINT ["python3", "-m", "distributor.cli.container"]
CMD ["/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"]
