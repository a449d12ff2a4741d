/*
Who is told, and when. Each rule's query returns rows while something is wrong: what (`code`) and which (`subject`).

The app writes one JSON object a line; `alarm` lines carry a code that is a heading in docs/runbook.md. Requests and
traces are excluded from sampling in host.json, so no alarm is ever thinned out.
*/
param name string
param location string
param workspaceId string
param email string

var alarms = 'AppTraces | extend line = parse_json(Message) | where line.event == "alarm" | extend code = tostring(line.code), subject = tostring(line.subject), summary = tostring(line.summary)'
var shown = 'project TimeGenerated, code, subject, summary'
var low = '"low_reserve", "low_allowance", "low_gas", "waiting_reserve_short", "waiting_allowance_short", "waiting_gas_short"'

var rules = [
  {
    name: 'no-sweep'
    severity: 0
    description: 'The timer has not run for 5 minutes. It wakes what stalled: nothing else would notice lost work.'
    query: 'AppRequests | where Name == "sweep" and Success | summarize newest = max(TimeGenerated) | where isnull(newest) or newest < ago(5m) | project TimeGenerated = now(), code = "no_sweep", subject = "", summary = tostring(newest)'
  }
  {
    name: 'poison'
    severity: 1
    description: 'A function failed five times in a row: a bug.'
    query: '${alarms} | where code == "poison_message" | ${shown}'
  }
  {
    name: 'held'
    severity: 1
    description: 'An order stopped and waits for a person.'
    query: '${alarms} | where code startswith "held_" | ${shown}'
  }
  {
    name: 'low'
    severity: 2
    description: 'Reserve, allowance or gas runs low, or is too little for what waits.'
    query: '${alarms} | where code in (${low}) | ${shown}'
  }
  {
    name: 'other-alarm'
    severity: 1
    description: 'Any other alarm: the code is a heading in the runbook.'
    query: '${alarms} | where code != "poison_message" and not(code startswith "held_") and code !in (${low}) | ${shown}'
  }
  {
    name: 'refusing'
    severity: 1
    description: 'The webhook answered with a server error: shops send those orders again, and may give up.'
    query: 'AppRequests | where Name startswith "receive_" and toint(ResultCode) >= 500 | project TimeGenerated, code = strcat("http_", ResultCode), subject = "webhook", summary = OperationId'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: take(name, 12)
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rule 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for each in rules: {
  name: '${name}-${each.name}'
  location: location
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${each.name}'
    description: each.description
    severity: each.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    // A line may reach the workspace minutes late: each look goes back further than the time between two looks.
    evaluationFrequency: 'PT5M'
    windowSize: 'PT10M'
    autoMitigate: true
    // A new workspace has no line yet, and so nothing the query could be checked against.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: each.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          // One alert for each code and order, not one for all of them: the second held order is news, too.
          dimensions: [
            {
              name: 'code'
              operator: 'Include'
              values: ['*']
            }
            {
              name: 'subject'
              operator: 'Include'
              values: ['*']
            }
          ]
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]
