-- Inline completion by Neovim 0.12 itself.

local editing = require('greencode.editing')
local options = require('greencode.options')
local suggestion = require('greencode.suggestion')

local M = {}

---@param bufnr integer
function M.start(bufnr)
  vim.lsp.inline_completion.enable(options.current.automatic, { bufnr = bufnr })
end

---@param bufnr integer
function M.stop(bufnr)
  vim.lsp.inline_completion.enable(false, { bufnr = bufnr })
end

---Returns what of an item has not been typed since it was asked for, and how much behind the cursor it replaces.
---@param item table vim.lsp.inline_completion.Item
---@return string? rest
---@return integer replaced
local function rest_of(item)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local range = item.range
  if range == nil then
    return item.insert_text, 0
  end
  local start = range.start or { row = range.start_row, col = range.start_col }
  local end_col = range.end_ and range.end_.col or range.end_col
  if start.row ~= row - 1 or start.col > col then
    return nil, 0
  end
  local typed = vim.api.nvim_get_current_line():sub(start.col + 1, col)
  return suggestion.rest(suggestion.plain(item.insert_text), typed), math.max(end_col - col, 0)
end

---@param part greencode.Part
---@return boolean
function M.take(part)
  if part == 'all' then
    return vim.lsp.inline_completion.get()
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local rest, replaced = rest_of(item)
      if rest then
        -- Neovim asks again at the new place; the server has the rest in its cache.
        editing.take({ insertText = suggestion.plain(item.insert_text), command = item.command }, rest, part, replaced)
      end
    end,
  })
end

---@param step integer
---@return boolean
function M.cycle(step)
  vim.schedule(function()
    vim.lsp.inline_completion.select({ count = step })
  end)
  return true
end

---Neovim has no call for this: turning it off and on again takes the suggestion away.
---@return boolean
function M.dismiss()
  local here = { bufnr = vim.api.nvim_get_current_buf() }
  if not vim.lsp.inline_completion.is_enabled(here) then
    return false
  end
  vim.schedule(function()
    vim.lsp.inline_completion.enable(false, here)
    vim.lsp.inline_completion.enable(true, here)
  end)
  return true
end

---Neovim asks by itself whenever the cursor moves in insert mode, and has no call to ask at once.
function M.suggest()
  vim.schedule(function()
    vim.lsp.inline_completion.enable(true, { bufnr = vim.api.nvim_get_current_buf() })
    vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = 0 })
  end)
end

return M
