-- The command, and looking after the buffers that the server has.

if vim.g.loaded_greencode then
  return
end
vim.g.loaded_greencode = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify_once('greencode needs Neovim 0.11 or newer', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Greencode', function(call)
  require('greencode.commands').run(call)
end, {
  nargs = '*',
  desc = 'greencode: pause, resume, profile, energy, doctor, ...',
  complete = function(lead, line)
    return require('greencode.commands').complete(lead, line)
  end,
})

local group = vim.api.nvim_create_augroup('greencode', {})

local function ours(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  return client ~= nil and client.name == 'greencode'
end

vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  callback = function(event)
    if ours(event) then
      require('greencode').attach(event.buf)
    end
  end,
})

vim.api.nvim_create_autocmd('LspDetach', {
  group = group,
  callback = function(event)
    if ours(event) then
      require('greencode').detach(event.buf)
    end
  end,
})
