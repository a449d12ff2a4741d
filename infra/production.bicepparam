// Polygon: real money. Zones, a lock on the ledger and a warm instance are main.bicep's defaults.
using 'main.bicep'

param name = 'ballx'
param chainId = 137
param authorityAddress = readEnvironmentVariable('AUTHORITY_ADDRESS')
param tokenAddress = readEnvironmentVariable('TOKEN_ADDRESS')
param reserveAddress = readEnvironmentVariable('RESERVE_ADDRESS')
param ledgerId = readEnvironmentVariable('LEDGER_ID')
param operatorsObjectId = readEnvironmentVariable('OPERATORS_OBJECT_ID')
param operatorsType = readEnvironmentVariable('OPERATORS_TYPE', 'Group')
param consoleClientId = readEnvironmentVariable('CONSOLE_CLIENT_ID', '')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')

// Tell a person while there is still time: about two days of your payouts.
param moreSettings = {
  LOW_RESERVE_TOKENS: readEnvironmentVariable('LOW_RESERVE_TOKENS', '0')
  LOW_ALLOWANCE_TOKENS: readEnvironmentVariable('LOW_ALLOWANCE_TOKENS', '0')
  LOW_GAS_PAYOUTS: '200'
}
