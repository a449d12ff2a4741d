/*
A storage account of PayFlow. There are two: the ledger (tables, wake-ups, the deployed packages), and the second one (send
log, rescue of tokens, backups), so that no loss of one account takes both what is to be mailed and what was.

No shared keys: whoever reads or writes is an identity with a role, and every write to the tables is logged.
*/
param name string
param location string
param sku string
param lock bool
param lockNotes string
param tables array
param queues array
param containers array
param principalId string
param isHost bool
param operatorsObjectId string
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string
param workspaceId string

// Azure's own roles. Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
var roles = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

// The host itself keeps leases, keys and packages in blobs and needs to own them; the second account's blobs are backups.
var hostRoles = [roles.blobDataOwner, roles.queueDataContributor, roles.tableDataContributor]
var logRoles = [roles.blobDataContributor, roles.tableDataContributor]
var appRoles = isHost ? hostRoles : logRoles
var people = isHost ? [roles.tableDataContributor, roles.queueDataContributor] : logRoles

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_35: an app without a virtual network reaches storage by its public endpoint, with an identity
  // checkov:skip=CKV_AZURE_59: the same; nothing in it is readable without a role
  // checkov:skip=CKV_AZURE_206: zones by default: a second region lags, and a log that went back mails twice
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

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for each in containers: {
    parent: blobs
    name: each
    properties: {
      publicAccess: 'None'
    }
  }
]

// What the app deletes after seven days by itself goes by this rule as well, where the app runs no more.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = if (!isHost) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'backups'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['backups/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterCreationGreaterThan: 7
                }
              }
            }
          }
        }
      ]
    }
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

// For `python -m payflow`, run by a person who is signed in.
resource operatorsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in people: {
    scope: account
    name: guid(account.id, operatorsObjectId, role)
    properties: {
      principalId: operatorsObjectId
      principalType: operatorsType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// Who changed the rows, by which identity and from where, beside the app's own audit trail.
resource tableLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tableService
  name: 'row-changes'
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
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: lockNotes
  }
}

output name string = account.name
output blobUrl string = account.properties.primaryEndpoints.blob
