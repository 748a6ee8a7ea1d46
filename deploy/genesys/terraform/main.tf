# The Web Services Data Actions integration, its credential and the action, with CX as Code.
#
#   export GENESYSCLOUD_OAUTHCLIENT_ID=… GENESYSCLOUD_OAUTHCLIENT_SECRET=… GENESYSCLOUD_REGION=us-east-1
#   export TF_VAR_api_key=…            # one of the service's API_KEYS
#   terraform init && terraform apply -var base_url=https://cobrowse.example.com
#
# The action's contract and templates are read from the file that can also be imported by hand, so that both are the
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

locals {
  action = jsondecode(file("${path.module}/../Start-Cobrowse.custom.json"))
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
  integration_type = local.action.integrationType
  config {
    name       = "cobrowse-bridge"
    notes      = "Starts cobrowse sessions for Architect flows."
    properties = jsonencode({})
    advanced   = jsonencode({})
    credentials = {
      # Genesys's key for the credential of this kind of integration, whatever the credential's own type.
      basicAuth = genesyscloud_integration_credential.cobrowse_bridge.id
    }
  }
}

resource "genesyscloud_integration_action" "start_cobrowse" {
  name                   = local.action.name
  category               = "cobrowse-bridge"
  integration_id         = genesyscloud_integration.cobrowse_bridge.id
  secure                 = local.action.secure
  config_timeout_seconds = var.timeout_seconds

  contract_input  = jsonencode(local.action.contract.input.inputSchema)
  contract_output = jsonencode(local.action.contract.output.successSchema)

  config_request {
    request_url_template = local.action.config.request.requestUrlTemplate
    request_type         = local.action.config.request.requestType
    request_template     = local.action.config.request.requestTemplate
    headers              = local.action.config.request.headers
  }

  config_response {
    translation_map          = local.action.config.response.translationMap
    translation_map_defaults = local.action.config.response.translationMapDefaults
    success_template         = local.action.config.response.successTemplate
  }
}

output "action_id" {
  description = "For POST /api/v2/integrations/actions/{actionId}/test, an end-to-end test from outside a flow."
  value       = genesyscloud_integration_action.start_cobrowse.id
}
