/*
The second storage account: copies of the ledger of seven days. It is another account, so that what takes the ledger away (a
deletion, a wrong role, a script) leaves them.

No shared keys, as for the ledger. The app writes and reads it; a person reads it for a restore.
*/
param name string
param location string
param sku string
param lock bool
param principalId string
param operatorsObjectId string
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string

// Azure's own role. Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
var roles = {
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
}

// What the app deletes after seven days by itself goes by this rule as well, where the app runs no more.
var keptDays = 7

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_35: an app without a virtual network reaches storage by its public endpoint, with an identity
  // checkov:skip=CKV_AZURE_59: the same; nothing in it is readable without a role
  // checkov:skip=CKV_AZURE_206: zones, not regions, as the ledger itself
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

// What somebody deletes can be had back for as long as it would have been kept.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: keptDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: keptDays
    }
  }
}

resource backups 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'backups'
  properties: {
    publicAccess: 'None'
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
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
                  daysAfterCreationGreaterThan: keptDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource appRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, roles.blobDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}

// For `python -m distributor backup` and `restore`, run by a person who is signed in.
resource operatorsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, operatorsObjectId, roles.blobDataContributor)
  properties: {
    principalId: operatorsObjectId
    principalType: operatorsType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}

resource deleteLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: account
  name: 'backups'
  properties: {
    level: 'CanNotDelete'
    notes: 'The copies of the ledger are in here, see docs/runbook.md.'
  }
}

output name string = account.name
