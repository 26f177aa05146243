-- greencode: local code completion that knows what every token costs. See :help greencode.

local keys = require('greencode.keys')
local meter = require('greencode.meter')
local options = require('greencode.options')
local server = require('greencode.server')

local M = {}

---Inline completion: Neovim's own from 0.12 on, ours before.
local function backend()
  return require(vim.lsp.inline_completion and 'greencode.builtin' or 'greencode.own')
end

---Starts the server for the buffers it is for. Options: see :help greencode-options.
---@param given? table
function M.setup(given)
  options.set(given)
  server.enable(options.current)
end

---Takes the suggestion; false when there is none.
---@return boolean
function M.accept()
  return backend().take('all')
end

---@return boolean
function M.accept_word()
  return backend().take('word')
end

---@return boolean
function M.accept_line()
  return backend().take('line')
end

---@return boolean
function M.next()
  return backend().cycle(1)
end

---@return boolean
function M.previous()
  return backend().cycle(-1)
end

---@return boolean
function M.dismiss()
  return backend().dismiss()
end

function M.suggest()
  backend().suggest()
end

---Returns what the last completion took, for a status line.
---@return string
function M.statusline()
  return meter.statusline()
end

---Called when the server has a buffer.
---@param bufnr integer
function M.attach(bufnr)
  backend().start(bufnr)
  keys.set(bufnr, {
    accept = M.accept,
    accept_word = M.accept_word,
    accept_line = M.accept_line,
    next = M.next,
    previous = M.previous,
    dismiss = M.dismiss,
    suggest = M.suggest,
  })
end

---Called when the server has lost a buffer.
---@param bufnr integer
function M.detach(bufnr)
  backend().stop(bufnr)
  keys.remove(bufnr)
end

return M
