-- The language server: started by Neovim, and asked to run its commands.

local M = {}

M.NAME = 'greencode'

---Registers the server with the user's options and lets Neovim start it for the buffers it is for.
---@param options greencode.Options
function M.enable(options)
  local config = { settings = { greencode = options.settings } }
  if options.cmd then
    config.cmd = options.cmd
  end
  if options.filetypes then
    config.filetypes = options.filetypes
  end
  vim.lsp.config(M.NAME, config)
  vim.lsp.enable(M.NAME)
end

---Stops the server; nothing is asked until `vim.lsp.enable` is called again.
function M.disable()
  vim.lsp.enable(M.NAME, false)
end

---@return boolean
function M.is_enabled()
  return vim.lsp.is_enabled(M.NAME)
end

---@return vim.lsp.Client?
function M.client()
  return vim.lsp.get_clients({ name = M.NAME })[1]
end

---Runs one of the server's commands; an error is told to the user.
---@param command string Without the prefix `greencode.`.
---@param arguments? any[]
---@param done? fun(result: any)
function M.execute(command, arguments, done)
  local client = M.client()
  if client == nil then
    vim.notify('greencode: no server runs; open a file, or see :checkhealth greencode', vim.log.levels.WARN)
    return
  end
  local params = { command = 'greencode.' .. command, arguments = arguments }
  client:request('workspace/executeCommand', params, function(problem, result)
    if problem then
      vim.notify('greencode: ' .. problem.message, vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end)
end

return M
