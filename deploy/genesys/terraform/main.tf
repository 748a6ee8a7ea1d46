# The Web Services Data Actions integration, its credential, its three actions, and the workflow that an answered chat
# starts, with CX as Code.
#
#   export GENESYSCLOUD_OAUTHCLIENT_ID=… GENESYSCLOUD_OAUTHCLIENT_SECRET=… GENESYSCLOUD_REGION=us-east-1
#   export TF_VAR_api_key=…            # one of the service's API_KEYS
#   terraform init && terraform apply -var base_url=https://cobrowse.example.com
#
# The actions' contracts and templates are read from the files that can also be imported by hand, so that both are the
# same. Read that way they need no doubled dollar signs. Changing a contract makes a new action with a new id.

terraform {
  required_version = ">= 1.3"
  required_providers {
    genesyscloud = {
      source = "mypurecloud/genesyscloud"
    }
  }
}

variable "base_url" {
  description = "The service's public address, without a slash at its end."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+(/.*[^/])?$", var.base_url))
    error_message = "Genesys Cloud calls https addresses with a publicly trusted certificate only; leave out the last slash."
  }
}

variable "api_key" {
  description = "One of the service's API_KEYS: the key alone, without its name."
  type        = string
  sensitive   = true
}

variable "timeout_seconds" {
  description = "How long Genesys waits for the service: above its DEADLINE_SECONDS, below the flow step's own timeout."
  type        = number
  default     = 15

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 60
    error_message = "Genesys Cloud allows 1 to 60 seconds."
  }
}

variable "trigger_enabled" {
  description = "Whether an answered chat starts cobrowse by itself. Leave it off to start from the agent's script alone."
  type        = bool
  default     = false
}

locals {
  actions = {
    for name in ["Start-Cobrowse", "Cobrowse-Status", "End-Cobrowse"] :
    name => jsondecode(file("${path.module}/../${name}.custom.json"))
  }
  flow = "${path.module}/../start-cobrowse.flow.yaml"
}

resource "genesyscloud_integration_credential" "cobrowse_bridge" {
  name                 = "cobrowse-bridge"
  credential_type_name = "userDefined"
  fields = {
    baseUrl = var.base_url
    apiKey  = var.api_key
  }
}

resource "genesyscloud_integration" "cobrowse_bridge" {
  intended_state   = "ENABLED"
  integration_type = local.actions["Start-Cobrowse"].integrationType
  config {
    name       = "cobrowse-bridge"
    notes      = "Starts, asks for and ends cobrowse sessions."
    properties = jsonencode({})
    advanced   = jsonencode({})
    credentials = {
      # Genesys's key for the credential of this kind of integration, whatever the credential's own type.
      basicAuth = genesyscloud_integration_credential.cobrowse_bridge.id
    }
  }
}

resource "genesyscloud_integration_action" "cobrowse" {
  for_each = local.actions

  name                   = each.value.name
  category               = "cobrowse-bridge"
  integration_id         = genesyscloud_integration.cobrowse_bridge.id
  secure                 = each.value.secure
  config_timeout_seconds = var.timeout_seconds

  contract_input  = jsonencode(each.value.contract.input.inputSchema)
  contract_output = jsonencode(each.value.contract.output.successSchema)

  config_request {
    request_url_template = each.value.config.request.requestUrlTemplate
    request_type         = each.value.config.request.requestType
    request_template     = each.value.config.request.requestTemplate
    headers              = each.value.config.request.headers
  }

  config_response {
    translation_map          = each.value.config.response.translationMap
    translation_map_defaults = each.value.config.response.translationMapDefaults
    success_template         = each.value.config.response.successTemplate
  }
}

resource "genesyscloud_flow" "start_cobrowse" {
  filepath          = local.flow
  file_content_hash = filesha256(local.flow)

  depends_on = [genesyscloud_integration_action.cobrowse]
}

resource "genesyscloud_processautomation_trigger" "agent_answers" {
  name       = "Start Cobrowse"
  topic_name = "v2.detail.events.conversation.{id}.user.start"
  enabled    = var.trigger_enabled

  target {
    id   = genesyscloud_flow.start_cobrowse.id
    type = "Workflow"
    workflow_target_settings {
      # The event's conversationId becomes Flow.conversationId.
      data_format = "TopLevelPrimitives"
    }
  }

  match_criteria = jsonencode([
    {
      "jsonPath" : "mediaType",
      "operator" : "Equal",
      "value" : "MESSAGE"
    }
  ])
  event_ttl_seconds = 60
}

output "action_ids" {
  description = "For POST /api/v2/integrations/actions/{actionId}/test, an end-to-end test from outside a flow."
  value       = { for name, action in genesyscloud_integration_action.cobrowse : name => action.id }
}
