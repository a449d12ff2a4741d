// A test system: every mail goes to the override. Conta Azul has no sandbox; its developer account is the only test company.
using 'main.bicep'

param name = 'payflow-test'
param environmentName = 'staging'
param contaAzulClientId = readEnvironmentVariable('CONTA_AZUL_CLIENT_ID')
param contaAzulRedirectUri = readEnvironmentVariable('CONTA_AZUL_REDIRECT_URI', '')
param mailFrom = readEnvironmentVariable('SMTP_FROM')
param smtpHost = readEnvironmentVariable('SMTP_HOST')
param smtpUser = readEnvironmentVariable('SMTP_USER')
param overrideRecipient = readEnvironmentVariable('OVERRIDE_RECIPIENT_EMAIL')
param operatorsObjectId = readEnvironmentVariable('OPERATORS_OBJECT_ID')
param operatorsType = readEnvironmentVariable('OPERATORS_TYPE', 'User')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')

// It may be thrown away: one datacentre, no lock, a vault that can be purged, no instance kept warm.
param storageSku = 'Standard_LRS'
param zoneRedundant = false
param lockAccounts = false
param protectVault = false
param instanceMemoryMB = 512
