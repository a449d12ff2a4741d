/*
The function app on the Flex Consumption plan.

Queues and the timer scale apart from HTTP there, each on instances of its own. The app settings are a resource of their
own: this module runs after the roles are given, so that the first look into the vault is allowed.
*/
param name string
param planName string
param location string
param pythonVersion string
param alwaysReadyHttp int
param instanceMemoryMB int
param maximumInstances int
param identityId string
param clientId string
param storageName string
param backupName string
param releasesUrl string
param vaultUri string
param insightsConnectionString string
param chainId int
param authorityAddress string
param tokenAddress string
param reserveAddress string
param ledgerId string
param moreSettings object
param moreSecrets array
param operatorKeyId string
param consoleClientId string

// In the vault `_` is `-`. Without a version, so that a new one is taken up within a day, or at once when asked for.
var secrets = union(['RPC_URL', 'WEBHOOK_SECRET'], empty(operatorKeyId) ? ['OPERATOR_PK'] : [], moreSecrets)
var secretSettings = toObject(
  secrets,
  secret => secret,
  secret => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${replace(secret, '_', '-')})'
)

var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${environment().suffixes.storage}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${environment().suffixes.storage}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${environment().suffixes.storage}'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  BACKUP_STORAGE__blobServiceUri: 'https://${backupName}.blob.${environment().suffixes.storage}'
  BACKUP_STORAGE__tableServiceUri: 'https://${backupName}.table.${environment().suffixes.storage}'
  BACKUP_STORAGE__credential: 'managedidentity'
  BACKUP_STORAGE__clientId: clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  // Which identity the app itself uses where the platform did not resolve a reference.
  AZURE_CLIENT_ID: clientId
}

var chainSettings = {
  CHAIN_ID: string(chainId)
  AUTHORITY_ADDRESS: authorityAddress
  TOKEN_ADDRESS: tokenAddress
  RESERVE_ADDRESS: reserveAddress
  LEDGER_ID: ledgerId
  OPERATOR_KEY_ID: operatorKeyId
}

var tenantId = subscription().tenantId

// Who signs in to the console is named by the platform then; the app believes it only where it is told to.
var entraSettings = {
  CONSOLE_ENTRA: '1'
  CONSOLE_ENTRA_TENANT: tenantId
  CONSOLE_ENTRA_CLIENT: consoleClientId
}
var consoleSettings = empty(consoleClientId) ? {} : entraSettings

// Every door but the console's. Shops sign what they send, keys open the others, and the host guards its own: the
// platform must send none of them to a sign-in page. `doctor --url` proves it from outside.
var openPaths = [
  '/webhook'
  '/webhook/*'
  '/shop/*'
  '/orders'
  '/orders/*'
  '/healthz'
  '/ready'
  '/metrics'
  '/admin/*'
  '/runtime/*'
]

var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyHttp
  }
]

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225: zone redundancy would need two or more always-ready instances; the ledger is in three zones
  name: planName
  location: location
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  // checkov:skip=CKV_AZURE_212: Flex Consumption takes no number of workers; one instance for HTTP is always ready
  // checkov:skip=CKV_AZURE_17: shops authenticate with a signature over the body, not with certificates
  // checkov:skip=CKV_AZURE_222: shops call it from the internet
  // checkov:skip=CKV_AZURE_213: the plan has no health check of the platform's; /ready is there for yours
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: releasesUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        // Payouts need one: one settlement and one distribution work at a time, whatever the number of instances.
        maximumInstanceCount: maximumInstances
        alwaysReady: (alwaysReadyHttp > 0) ? alwaysReady : []
        triggers: {
          http: {
            // Python's own default is 1: a burst of 100 orders would start 100 instances. The webhook waits for
            // storage nearly all of its time, and its handlers share one event loop.
            perInstanceConcurrency: 16
          }
        }
      }
    }
  }
}

// Deployments sign in with an identity; there is no password that could leak.
resource ftpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  // These look for the site's configuration, which is above; here are the app's own settings.
  // checkov:skip=CKV_AZURE_13: app settings
  // checkov:skip=CKV_AZURE_63: app settings
  // checkov:skip=CKV_AZURE_65: app settings
  // checkov:skip=CKV_AZURE_66: app settings
  // checkov:skip=CKV_AZURE_80: app settings
  // checkov:skip=CKV_AZURE_88: app settings
  // checkov:skip=CKV_AZURE_222: app settings
  parent: app
  name: 'appsettings'
  // The later wins: nothing in moreSettings can replace what is required.
  properties: union(moreSettings, platformSettings, chainSettings, consoleSettings, secretSettings)
}

// Always declared: a deployment without the client id turns off what one with it had turned on.
resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  // These look for the site's configuration, which is above; here is who signs in before a request reaches the app.
  // checkov:skip=CKV_AZURE_13: the console alone asks for a sign-in, and may use personal tokens instead
  // checkov:skip=CKV_AZURE_63: sign-in
  // checkov:skip=CKV_AZURE_65: sign-in
  // checkov:skip=CKV_AZURE_66: sign-in
  // checkov:skip=CKV_AZURE_80: sign-in
  // checkov:skip=CKV_AZURE_88: sign-in
  // checkov:skip=CKV_AZURE_222: sign-in
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: !empty(consoleClientId)
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureactivedirectory'
      excludedPaths: openPaths
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: !empty(consoleClientId)
        // Without a client secret, which somebody would have to renew: the application issues ID tokens.
        registration: {
          clientId: empty(consoleClientId) ? null : consoleClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: empty(consoleClientId) ? [] : [consoleClientId]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}

output name string = app.name
output host string = app.properties.defaultHostName
