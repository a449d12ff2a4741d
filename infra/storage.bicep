/*
The storage account: ledger and audit trail (tables), wake-ups (queues), the deployed packages (blobs).

No shared keys: whoever reads or writes is an identity with a role, and the ledger's writes are logged.
*/
param name string
param location string
param sku string
param lock bool
param principalId string
param operatorsObjectId string
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string
param workspaceId string

// Azure's own roles. Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
var roles = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

// The host itself keeps leases, keys and packages in blobs and needs to own them; the app needs the other two.
var appRoles = [roles.blobDataOwner, roles.queueDataContributor, roles.tableDataContributor]

var tables = ['ledger', 'audit']
var queues = ['distributions', 'distributions-poison', 'settlements', 'settlements-poison']

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_35: an app without a virtual network reaches storage by its public endpoint, with an identity
  // checkov:skip=CKV_AZURE_59: the same; nothing in it is readable without a role
  // checkov:skip=CKV_AZURE_206: zones, not regions: a second region lags, and a ledger that lags pays twice
  name: name
  location: location
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource releases 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'releases'
  properties: {
    publicAccess: 'None'
  }
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [
  for each in tables: {
    parent: tableService
    name: each
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for each in queues: {
    parent: queueService
    name: each
  }
]

resource appRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in appRoles: {
    scope: account
    name: guid(account.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// For `python -m distributor`, run by a person who is signed in: the ledger, and the queues that `alarms list`, `doctor` and
// `replay-poison` read.
resource operatorsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [roles.tableDataContributor, roles.queueDataContributor]: {
    scope: account
    name: guid(account.id, operatorsObjectId, role)
    properties: {
      principalId: operatorsObjectId
      principalType: operatorsType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// Who changed the ledger, by which identity and from where, beside the app's own audit trail.
resource tableLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tableService
  name: 'ledger-changes'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}

resource deleteLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: account
  name: 'ledger'
  properties: {
    level: 'CanNotDelete'
    notes: 'The ledger is in here. A lost ledger is rebuilt from the chain, see docs/runbook.md.'
  }
}

output name string = account.name
output releasesUrl string = '${account.properties.primaryEndpoints.blob}releases'
