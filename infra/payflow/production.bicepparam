// The real recipients. Zones, locks and a protected vault are main.bicep's defaults.
using 'main.bicep'

param name = 'payflow'
param environmentName = 'production'
param contaAzulClientId = readEnvironmentVariable('CONTA_AZUL_CLIENT_ID')
param contaAzulRedirectUri = readEnvironmentVariable('CONTA_AZUL_REDIRECT_URI', '')
param mailFrom = readEnvironmentVariable('SMTP_FROM')
param smtpHost = readEnvironmentVariable('SMTP_HOST')
param smtpUser = readEnvironmentVariable('SMTP_USER')
param overrideRecipient = readEnvironmentVariable('OVERRIDE_RECIPIENT_EMAIL', '')
param operatorsObjectId = readEnvironmentVariable('OPERATORS_OBJECT_ID')
param operatorsType = readEnvironmentVariable('OPERATORS_TYPE', 'Group')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')
param storageSku = readEnvironmentVariable('STORAGE_SKU', 'Standard_ZRS')
