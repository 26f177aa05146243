-- Putting a suggestion, or a part of it, into the buffer, and telling the server.

local server = require('greencode.server')
local suggestion = require('greencode.suggestion')

local M = {}

---@class greencode.Item An inline completion item, as it came over the wire.
---@field insertText string
---@field range? lsp.Range
---@field command? lsp.Command

---Writes `text` at the cursor of the current window over the `replaced` bytes behind it; the cursor goes behind it.
---@param text string
---@param replaced integer
function M.write(text, replaced)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(0, row - 1, col, row - 1, col + replaced, lines)
  local last = #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines - 1, #lines == 1 and col + last or last })
end

---Takes a part of what remains of an item, and tells the server how much of it was taken.
---@param item greencode.Item
---@param rest string What has not been typed of it yet.
---@param part greencode.Part
---@param replaced integer Bytes behind the cursor that the whole item replaces.
---@return boolean whole Whether nothing of it is left.
function M.take(item, rest, part, replaced)
  local taken = suggestion.beginning(rest, part)
  local whole = taken == rest
  M.write(taken, whole and replaced or 0)
  local client = server.client()
  if client == nil then
    return whole
  end
  if whole and item.command then
    client:exec_cmd(item.command, { bufnr = vim.api.nvim_get_current_buf() })
  elseif not whole then
    local length = suggestion.units(item.insertText) - suggestion.units(rest) + suggestion.units(taken)
    client:notify('textDocument/didPartiallyAcceptCompletion', { item = item, acceptedLength = length })
  end
  return whole
end

return M
