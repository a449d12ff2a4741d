// Amoy, Polygon's test network. The addresses are yours: contracts/ has sources of a token and an authority to deploy.
using 'main.bicep'

param name = 'ballx-test'
param chainId = 80002
param authorityAddress = readEnvironmentVariable('AUTHORITY_ADDRESS')
param tokenAddress = readEnvironmentVariable('TOKEN_ADDRESS')
param reserveAddress = readEnvironmentVariable('RESERVE_ADDRESS')
param ledgerId = readEnvironmentVariable('LEDGER_ID')
param operatorsObjectId = readEnvironmentVariable('OPERATORS_OBJECT_ID')
param operatorsType = readEnvironmentVariable('OPERATORS_TYPE', 'User')
param consoleClientId = readEnvironmentVariable('CONSOLE_CLIENT_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')

// It may be thrown away: one datacentre, no lock, a vault that can be purged, no instance kept warm.
param storageSku = 'Standard_LRS'
param lockLedger = false
param protectVault = false
param alwaysReadyHttp = 0
