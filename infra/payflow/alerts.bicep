/*
Who is told, and when, beside the app's own mails and posts. Each rule's query returns rows while something is wrong: what
(`code`) and which (`subject`).

The app writes one JSON object a line; `alarm` lines carry a code of docs/payflow/runbook.md. Requests and traces are excluded
from sampling in host.json, so no alarm is ever thinned out.
*/
param name string
param location string
param workspaceId string
param email string

var noTimer = 'AppRequests | where Name == "wake_lanes" and Success | summarize newest = max(TimeGenerated) | where isnull(newest) or newest < ago(5m) | project TimeGenerated = now(), code = "no_timer", subject = "", summary = tostring(newest)'
var failing = 'AppRequests | where Name in ("connect", "oauth_callback", "office", "bounces", "mail_events") and toint(ResultCode) >= 500 | project TimeGenerated, code = strcat("http_", ResultCode), subject = Name, summary = OperationId'

var rules = [
  {
    name: 'not-working'
    severity: 1
    description: 'no_timer: the timer has not run for 5 minutes. It wakes every company: nothing is looked for or mailed. http_5..: a page or a door answers with a server error.'
    query: '${noTimer} | union (${failing})'
    // A state: the rows end when the cause does, so "resolved" is true.
    resolves: true
  }
  {
    name: 'alarm'
    severity: 2
    description: 'Something that a person must look at. The code is in docs/payflow/runbook.md.'
    query: 'AppTraces | extend line = parse_json(Message) | where line.event == "alarm" | project TimeGenerated, code = tostring(line.code), subject = tostring(line.subject), summary = tostring(line.summary)'
    // An event: the line is written when it is told, so nothing is ever said to be resolved.
    resolves: false
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

resource rule 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for each in rules: {
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
      autoMitigate: each.resolves
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
  }
]
