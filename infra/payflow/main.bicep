/*
Everything PayFlow needs in one resource group: two storage accounts, vault, logs, the app and its alerts. Nothing is shared
with the distributor: each app has its own accounts, vault and identities, in the same resource group or in another.

  az deployment group create --resource-group GROUP --name payflow --parameters infra/payflow/test.bicepparam

docs/payflow/deploy.md leads through it.
*/
targetScope = 'resourceGroup'

@description('Short name of the system, part of every resource name; another than the distributor\'s.')
@minLength(3)
@maxLength(13)
param name string

@description('Region of every resource.')
param location string = resourceGroup().location

@description('production mails the real recipients; staging and development mail the override alone.')
@allowed(['production', 'staging', 'development'])
param environmentName string

@description('Of the application in Conta Azul\'s developer portal.')
@minLength(1)
param contaAzulClientId string

@description('https://HOST/oauth/callback as the developer portal has it; empty: at the app\'s own host name.')
param contaAzulRedirectUri string = ''

@description('The address mails come from.')
@minLength(6)
param mailFrom string

@description('The mail server; empty where moreSettings name another carrier.')
param smtpHost string = ''

@description('Who signs in at the mail server; empty where moreSettings name another carrier.')
param smtpUser string = ''

@description('False: the identity signs in at the mail server, or no mail server is used; the vault holds no password then.')
param smtpPassword bool = true

@description('Gets every mail outside production: required there, refused in production by the app.')
param overrideRecipient string = ''

@description('Further settings that are no secrets, by their names in docs/payflow/README.md.')
param moreSettings object = {}

@description('Secrets the vault holds beside the required ones, by their names in docs/payflow/README.md.')
param moreSecrets array = []

@description('Object id of the person or group that enters secrets and runs the operator\'s commands.')
@minLength(36)
@maxLength(36)
param operatorsObjectId string

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string = 'User'

@description('Where alerts are mailed. A variable that is not set on GitHub is an empty text there.')
@minLength(6)
param alertEmail string

@description('Python of the app; the package in dist/payflow.zip must be built for the same.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Copies of both accounts. Zones are written at once, a second region (GRS, GZRS) lags: docs/payflow/deploy.md.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_RAGRS', 'Standard_GZRS', 'Standard_RAGZRS'])
param storageSku string = 'Standard_ZRS'

@description('True: the app survives the loss of a zone. The platform then keeps two instances ready for each scaling group.')
param zoneRedundant bool = true

@description('True: neither storage account can be deleted before its lock is removed.')
param lockAccounts bool = true

@description('True: a deleted vault is kept for 90 days and nobody can purge it. It cannot be taken back.')
param protectVault bool = true

@description('Memory of an instance. A mail with a document of 7 MB takes 60 MB, its check in a child process 256 MB at most.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances at once; 40 is the least the plan takes.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

// A vault, a site or an account of a forbidden name is refused after minutes, when half of the rest is there.
var letters = 'abcdefghijklmnopqrstuvwxyz0123456789-' // pragma: allowlist secret
var signs = map(range(0, length(name)), at => toLower(substring(name, at, 1)))
var faults = concat(filter(signs, sign => !contains(letters, sign)), filter(split(name, '-'), part => empty(part)))
var howNamed = 'name must be letters, digits and single hyphens between them, like payflow-test.'
var system = empty(faults) ? name : fail(howNamed)
var suffix = uniqueString(resourceGroup().id, name)

// Asked before anything is made: else the deployment would end well and the app mail nobody.
var howMailed = 'SMTP_HOST must be set, or MAIL and ACS_ENDPOINT in moreSettings.'
var mailServer = empty(smtpHost) ? (contains(moreSettings, 'MAIL') ? '' : fail(howMailed)) : smtpHost
var whoIsMailed = 'OVERRIDE_RECIPIENT_EMAIL must be set outside production, and must not be set in production.'
var override = ((environmentName == 'production') == empty(overrideRecipient)) ? overrideRecipient : fail(whoIsMailed)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${system}'
  location: location
}

// The second account is another identity's: whoever has the ledger's rights alone cannot change what was sent.
resource logIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${system}-log'
  location: location
}

module monitoring '../monitoring.bicep' = {
  name: 'payflow-monitoring'
  params: {
    name: system
    location: location
    principalId: identity.properties.principalId
  }
}

module ledger 'account.bicep' = {
  name: 'payflow-ledger'
  params: {
    name: toLower(take('st${replace(system, '-', '')}${suffix}', 24))
    location: location
    sku: storageSku
    lock: lockAccounts
    lockNotes: 'The ledger is in here. A lost ledger is restored from a backup, see docs/payflow/runbook.md.'
    tables: ['payflow', 'payflowaudit']
    queues: ['payflow-lanes', 'payflow-lanes-poison', 'payflow-office', 'payflow-office-poison']
    containers: ['releases']
    principalId: identity.properties.principalId
    isHost: true
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
    workspaceId: monitoring.outputs.workspaceId
  }
}

module second 'account.bicep' = {
  name: 'payflow-second'
  params: {
    name: toLower(take('sl${replace(system, '-', '')}${suffix}', 24))
    location: location
    sku: storageSku
    lock: lockAccounts
    lockNotes: 'The send log is in here: without it nothing is mailed, and no restore is safe.'
    tables: ['payflowsentlog', 'payflowsentlogaudit']
    queues: []
    containers: ['backups']
    principalId: logIdentity.properties.principalId
    isHost: false
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault '../vault.bicep' = {
  name: 'payflow-vault'
  params: {
    name: take('kv-${system}-${suffix}', 24)
    location: location
    principalId: identity.properties.principalId
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
    workspaceId: monitoring.outputs.workspaceId
    keySigns: false
    protected: protectVault
  }
}

module app 'app.bicep' = {
  name: 'payflow-app'
  params: {
    name: 'func-${system}-${suffix}'
    planName: 'plan-${system}'
    location: location
    pythonVersion: pythonVersion
    zoneRedundant: zoneRedundant
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    identityId: identity.id
    clientId: identity.properties.clientId
    logIdentityId: logIdentity.id
    logClientId: logIdentity.properties.clientId
    ledgerName: ledger.outputs.name
    secondName: second.outputs.name
    releasesUrl: '${ledger.outputs.blobUrl}releases'
    vaultUri: vault.outputs.uri
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    environmentName: environmentName
    contaAzulClientId: contaAzulClientId
    contaAzulRedirectUri: contaAzulRedirectUri
    mailFrom: mailFrom
    smtpHost: mailServer
    smtpUser: smtpUser
    smtpPassword: smtpPassword
    overrideRecipient: override
    moreSettings: moreSettings
    moreSecrets: moreSecrets
  }
}

module alerts 'alerts.bicep' = {
  name: 'payflow-alerts'
  params: {
    name: system
    location: location
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
  }
}

output appName string = app.outputs.name
output appUrl string = 'https://${app.outputs.host}'
output ledgerName string = ledger.outputs.name
output secondName string = second.outputs.name
output vaultName string = vault.outputs.name
output identityClientId string = identity.properties.clientId
