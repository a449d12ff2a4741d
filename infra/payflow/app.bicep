/*
PayFlow's function app on the Flex Consumption plan, which has no deployment slots: docs/payflow/deploy.md says what replaces
them. Queues and the timer scale apart from HTTP there. The app settings are a resource of their own: this module runs after
the roles are given, so that the first look into the vault is allowed.
*/
param name string
param planName string
param location string
param pythonVersion string
param zoneRedundant bool
param instanceMemoryMB int
param maximumInstances int
param identityId string
param clientId string
param logIdentityId string
param logClientId string
param ledgerName string
param secondName string
param releasesUrl string
param vaultUri string
param insightsConnectionString string
param environmentName string
param contaAzulClientId string
param contaAzulRedirectUri string
param mailFrom string
param smtpHost string
param smtpUser string
param smtpPassword bool
param overrideRecipient string
param moreSettings object
param moreSecrets array

// In the vault `_` is `-`. Without a version, so that a new one is taken up within a day, or at once when asked for.
var required = ['MASTER_KEY', 'CONTA_AZUL_CLIENT_SECRET']
var secrets = union(required, smtpPassword ? ['SMTP_PASSWORD'] : [], moreSecrets)
var secretSettings = toObject(
  secrets,
  secret => secret,
  secret => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${replace(secret, '_', '-')})'
)

var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: 'https://${ledgerName}.blob.${environment().suffixes.storage}'
  AzureWebJobsStorage__queueServiceUri: 'https://${ledgerName}.queue.${environment().suffixes.storage}'
  AzureWebJobsStorage__tableServiceUri: 'https://${ledgerName}.table.${environment().suffixes.storage}'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  // Which identity the app itself uses where the platform did not resolve a reference, and for mail.
  AZURE_CLIENT_ID: clientId
}

var secondSettings = {
  SEND_LOG_STORAGE__blobServiceUri: 'https://${secondName}.blob.${environment().suffixes.storage}'
  SEND_LOG_STORAGE__tableServiceUri: 'https://${secondName}.table.${environment().suffixes.storage}'
  SEND_LOG_STORAGE__credential: 'managedidentity'
  SEND_LOG_STORAGE__clientId: logClientId
}

// A clinic signs in at Conta Azul and comes back to this address.
var ownAddress = 'https://${app.properties.defaultHostName}/oauth/callback'
var clinicSettings = {
  ENVIRONMENT: environmentName
  CONTA_AZUL_CLIENT_ID: contaAzulClientId
  CONTA_AZUL_REDIRECT_URI: empty(contaAzulRedirectUri) ? ownAddress : contaAzulRedirectUri
  SMTP_FROM: mailFrom
  SMTP_HOST: smtpHost
  SMTP_USER: smtpUser
  OVERRIDE_RECIPIENT_EMAIL: overrideRecipient
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225: zone redundancy is a parameter, on by default
  name: planName
  location: location
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  // checkov:skip=CKV_AZURE_212: Flex Consumption takes no number of workers
  // checkov:skip=CKV_AZURE_17: clinics come in by a mailed code, not with certificates
  // checkov:skip=CKV_AZURE_222: clinics and Conta Azul call it from the internet
  // checkov:skip=CKV_AZURE_213: the plan has no health check of the platform's; /ready is there for yours
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
      '${logIdentityId}': {}
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
        // Any number of instances is safe: a company has one lane at a time, and the fence is each row's version.
        maximumInstanceCount: maximumInstances
        triggers: {
          http: {
            // Python's own default is 1; pages wait for storage nearly all of their time, and share one event loop.
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
  properties: union(moreSettings, platformSettings, secondSettings, clinicSettings, secretSettings)
}

output name string = app.name
output host string = app.properties.defaultHostName
