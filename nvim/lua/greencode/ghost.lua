-- Drawing a suggestion that is not in the buffer.

local M = {}

local namespace = vim.api.nvim_create_namespace('greencode')

vim.api.nvim_set_hl(0, 'GreencodeSuggestion', { default = true, link = 'NonText' })
vim.api.nvim_set_hl(0, 'GreencodeCount', { default = true, link = 'Comment' })

---Draws a text at a place, over `replaced`, the text of the line that accepting it replaces.
---@param bufnr integer
---@param row integer 0-based.
---@param col integer In bytes, 0-based.
---@param text string
---@param replaced string
---@param count? string Shown behind the first line, such as `2/3`.
function M.draw(bufnr, row, col, text, replaced, count)
  M.clear(bufnr)
  local over = replaced ~= ''
  if over and vim.endswith(text, replaced) then
    text, over = text:sub(1, #text - #replaced), false
  end
  local lines = vim.split(text, '\n', { plain = true })
  local first = { { lines[1], 'GreencodeSuggestion' } }
  if count then
    table.insert(first, { ' ' .. count, 'GreencodeCount' })
  end
  local below = {}
  for index = 2, #lines do
    below[#below + 1] = { { lines[index], 'GreencodeSuggestion' } }
  end
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    virt_text = first,
    virt_text_pos = over and 'overlay' or 'inline',
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
  })
end

---@param bufnr integer
function M.clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

return M
