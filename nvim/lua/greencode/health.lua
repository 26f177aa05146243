-- `:checkhealth greencode`

local options = require('greencode.options')
local server = require('greencode.server')

local M = {}

local DOCTOR_MS = 60000

local function check_neovim()
  vim.health.start('Neovim')
  if vim.lsp.inline_completion then
    vim.health.ok('inline completion is built in')
  else
    vim.health.ok('inline completion is not built in (it is from 0.12 on): greencode draws suggestions itself')
  end
  local key = options.current.keymaps.accept
  vim.health.info(key and ('%s takes a suggestion'):format(key) or 'no key takes a suggestion')
end

local function check_program()
  vim.health.start('Server')
  local program = (options.current.cmd or { 'greencode-lsp' })[1]
  if vim.fn.executable(program) == 0 then
    vim.health.error(
      ('%s cannot be run'):format(program),
      { "in greencode's folder: pip install .", "or tell where it is: require('greencode').setup({ cmd = { '/path/to/greencode-lsp' } })" }
    )
    return
  end
  vim.health.ok(('%s: %s'):format(program, vim.fn.exepath(program)))
end

---Asks the server's own doctor, which also tries a completion.
local function check_server()
  local client = server.client()
  if client == nil then
    vim.health.info('no server runs; open a file of a language that greencode is for')
    return
  end
  vim.health.ok(('running for %d buffers'):format(vim.tbl_count(client.attached_buffers)))
  local answer, problem =
    client:request_sync('workspace/executeCommand', { command = 'greencode.doctor' }, DOCTOR_MS)
  if answer == nil or answer.err then
    vim.health.error('the doctor does not answer: ' .. (problem or answer.err.message))
    return
  end
  for _, check in ipairs(answer.result.checks) do
    local words = ('%s: %s'):format(check.name, check.detail)
    if check.ok then
      vim.health.ok(words)
    else
      vim.health.warn(words, check.fix ~= '' and { check.fix } or nil)
    end
  end
end

function M.check()
  check_neovim()
  check_program()
  check_server()
end

return M
