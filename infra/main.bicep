/*
Everything the service needs in one resource group: storage, vault, logs, the app and its alerts.

  az deployment group create --resource-group GROUP --parameters infra/test.bicepparam

docs/deploy.md leads through it. Plain resources only, no modules of a registry: what is deployed is what is written here.
*/
targetScope = 'resourceGroup'

@description('Short name of the system, part of every resource name.')
@minLength(3)
@maxLength(11)
param name string

@description('Region of every resource.')
param location string = resourceGroup().location

@description('Chain the orders are paid on: 137 Polygon, 80002 Amoy.')
param chainId int

@description('Contract whose `distribute` pays an order.')
@minLength(42)
@maxLength(42)
param authorityAddress string

@description('ERC-20 token the orders are paid in.')
@minLength(42)
@maxLength(42)
param tokenAddress string

@description('Address that holds the tokens and approved the authority.')
@minLength(42)
@maxLength(42)
param reserveAddress string

@description('Id that `python -m distributor init` printed; the word none at the first deployment, before there is a ledger.')
param ledgerId string

@description('Further settings that are no secrets, by their names in the README.')
param moreSettings object = {}

@description('Secrets the vault holds beside the required ones, by their names in the README.')
param moreSecrets array = []

@description('Identifier of a key in the vault that signs payouts, in place of the secret OPERATOR-PK; empty without one.')
param operatorKeyId string = ''

@description('Object id of the person or group that enters secrets and runs the operator\'s commands.')
@minLength(36)
@maxLength(36)
param operatorsObjectId string

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string = 'User'

@description('Client id of the Entra ID application by which people sign in to the console; empty: personal tokens.')
param consoleClientId string = ''

@description('Where alerts are mailed. A variable that is not set on GitHub is an empty text there.')
@minLength(6)
param alertEmail string

@description('Python of the app; the package in dist/app.zip must be built for the same.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Copies of the ledger: three zones for real money. A second region lags, and a ledger that went back pays twice.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param storageSku string = 'Standard_ZRS'

@description('True: the storage account cannot be deleted before the lock is removed.')
param lockLedger bool = true

@description('True: a deleted vault is kept for 90 days and nobody can purge it. It cannot be taken back.')
param protectVault bool = true

@description('Instances for HTTP that are always warm; a shop gives up after five seconds.')
@minValue(0)
param alwaysReadyHttp int = 1

@description('Memory of an instance. A worker uses about 100 MB; docs/costs.md has what each size costs.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('Most instances at once, the ceiling of a day that somebody floods; 40 is the least the plan takes.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

// A vault, a site or an account of a forbidden name is refused after minutes, when half of the rest is there. Each part
// between hyphens must be letters or digits: then every name made of it is one that all of them take.
var letters = 'abcdefghijklmnopqrstuvwxyz0123456789-' // pragma: allowlist secret
var signs = map(range(0, length(name)), at => toLower(substring(name, at, 1)))
var faults = concat(filter(signs, sign => !contains(letters, sign)), filter(split(name, '-'), part => empty(part)))
var howNamed = 'name must be letters, digits and single hyphens between them, like ballx-test.'
var system = empty(faults) ? name : fail(howNamed)
var suffix = uniqueString(resourceGroup().id, name)

// A deployment replaces every setting of the app. One that does not know the id would take away the guard that no other
// ledger is ever paid from, so it is refused before anything is changed.
var whichLedger = 'LEDGER_ID must be the id that init printed, or the word none at the first deployment.'
var ledger = (ledgerId == 'none') ? '' : ((length(ledgerId) == 32) ? ledgerId : fail(whichLedger))

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${system}'
  location: location
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: system
    location: location
    principalId: identity.properties.principalId
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: {
    name: toLower(take('st${replace(system, '-', '')}${suffix}', 24))
    location: location
    sku: storageSku
    lock: lockLedger
    principalId: identity.properties.principalId
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
    workspaceId: monitoring.outputs.workspaceId
  }
}

module backup 'backup.bicep' = {
  name: 'backup'
  params: {
    name: toLower(take('bk${replace(system, '-', '')}${suffix}', 24))
    location: location
    sku: storageSku
    lock: lockLedger
    principalId: identity.properties.principalId
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  params: {
    name: take('kv-${system}-${suffix}', 24)
    location: location
    principalId: identity.properties.principalId
    operatorsObjectId: operatorsObjectId
    operatorsType: operatorsType
    workspaceId: monitoring.outputs.workspaceId
    keySigns: !empty(operatorKeyId)
    protected: protectVault
  }
}

module app 'app.bicep' = {
  name: 'app'
  params: {
    name: 'func-${system}-${suffix}'
    planName: 'plan-${system}'
    location: location
    pythonVersion: pythonVersion
    alwaysReadyHttp: alwaysReadyHttp
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    identityId: identity.id
    clientId: identity.properties.clientId
    storageName: storage.outputs.name
    backupName: backup.outputs.name
    releasesUrl: storage.outputs.releasesUrl
    vaultUri: vault.outputs.uri
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    chainId: chainId
    authorityAddress: authorityAddress
    tokenAddress: tokenAddress
    reserveAddress: reserveAddress
    ledgerId: ledger
    moreSettings: moreSettings
    moreSecrets: moreSecrets
    operatorKeyId: operatorKeyId
    consoleClientId: consoleClientId
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    name: system
    location: location
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
  }
}

output appName string = app.outputs.name
output webhookUrl string = 'https://${app.outputs.host}/webhook'
output storageName string = storage.outputs.name
output backupName string = backup.outputs.name
output vaultName string = vault.outputs.name
output vaultUri string = vault.outputs.uri
output identityId string = identity.id
output identityClientId string = identity.properties.clientId
