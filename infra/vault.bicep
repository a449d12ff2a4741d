/*
The vault: what must never stand in a setting. The app may read secrets; people enter them.
*/
param name string
param location string
param principalId string
param operatorsObjectId string
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorsType string
param workspaceId string
param keySigns bool
param protected bool

// Azure's own roles. Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
var roles = {
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  cryptoUser: '12338af0-0e69-4776-bea7-57ae8d297424'
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  // checkov:skip=CKV_AZURE_110: a test system's vault may be purged, so that its guide can be run twice; it holds no real key
  // checkov:skip=CKV_AZURE_42: the same
  // checkov:skip=CKV_AZURE_109: an app without a virtual network reaches the vault by its public endpoint, with an identity
  // checkov:skip=CKV_AZURE_189: the same; nothing in it is readable without a role, and every read is logged
  name: name
  location: location
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: protected ? 90 : 7
    // Azure takes true or nothing; once true, it stays.
    enablePurgeProtection: protected ? true : null
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

resource appRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, roles.secretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsUser)
  }
}

// Signing with a key that never leaves the vault.
resource signerRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (keySigns) {
  scope: vault
  name: guid(vault.id, principalId, roles.cryptoUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.cryptoUser)
  }
}

resource operatorsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, operatorsObjectId, roles.secretsOfficer)
  properties: {
    principalId: operatorsObjectId
    principalType: operatorsType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsOfficer)
  }
}

resource accessLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'access'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

output name string = vault.name
output uri string = vault.properties.vaultUri
