-- What `vim.lsp.enable('greencode')` starts. `require('greencode').setup` lays the user's options over it.

local meter = require('greencode.meter')

---@type vim.lsp.Config
return {
  cmd = { 'greencode-lsp' },
  root_markers = { '.git' },
  capabilities = { textDocument = { inlineCompletion = { dynamicRegistration = false } } },
  -- One server, and one model in memory, for all folders.
  reuse_client = function(client, config)
    return client.name == config.name and not client:is_stopped()
  end,
  before_init = function(params, config)
    params.initializationOptions = vim.tbl_get(config, 'settings', 'greencode')
  end,
  handlers = {
    ['greencode/energy'] = function(_, energy)
      meter.set_energy(energy)
    end,
    ['greencode/status'] = function(_, status)
      meter.set_status(status)
    end,
  },
  on_exit = function()
    meter.set_status(nil)
  end,
}
