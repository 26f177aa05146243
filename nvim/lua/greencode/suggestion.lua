-- A suggested text and the parts of it that can be taken. Pure: knows no buffer.

local M = {}

---@alias greencode.Part 'all'|'word'|'line'

---Returns a text with the line ends that Neovim's buffers have inside, whatever the file's are.
---@param text string
---@return string
function M.plain(text)
  return (text:gsub('\r\n?', '\n'))
end

---Returns what remains of a text behind what has been typed of it; nil when something else was typed, or all of it.
---@param text string
---@param typed string
---@return string?
function M.rest(text, typed)
  if #typed >= #text or text:sub(1, #typed) ~= typed then
    return nil
  end
  return text:sub(#typed + 1)
end

---Returns the beginning of a text that a key takes: all of it, its next word, or the rest of its line.
---A word brings the blanks before it, and punctuation is a word of its own. A line brings the line break before it.
---@param text string
---@param part greencode.Part
---@return string
function M.beginning(text, part)
  if part == 'all' then
    return text
  end
  local patterns = part == 'word' and { '^%s*[%w_\128-\255]+', '^%s*[^%w%s_\128-\255]+' } or { '^\n?[^\n]*' }
  for _, pattern in ipairs(patterns) do
    local found = text:match(pattern)
    if found and found ~= '' then
      return found
    end
  end
  return text
end

---Returns the length of a text in UTF-16 units, as the protocol counts.
---@param text string
---@return integer
function M.units(text)
  return vim.str_utfindex(text, 'utf-16')
end

return M
