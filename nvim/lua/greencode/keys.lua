-- Insert-mode keys. A key without a suggestion to act on does what it did before.

local options = require('greencode.options')

local M = {}

local DESCRIPTION = 'greencode: '

---Returns a function that says what a key does without us, in the form an expr mapping returns.
---@param key string
---@return fun(): string
local function fallback(key)
  local before = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(before) or vim.startswith(before.desc or '', DESCRIPTION) then
    return function()
      return key
    end
  end
  return function()
    if before.callback and before.expr == 1 then
      return before.callback() or ''
    elseif before.callback then
      vim.schedule(before.callback)
      return ''
    elseif before.expr == 1 then
      vim.api.nvim_feedkeys(vim.api.nvim_eval(before.rhs), 'n', false)
      return ''
    end
    return before.rhs
  end
end

---Sets the keys of a buffer.
---@param bufnr integer
---@param actions table<string, fun(): boolean?> By the names in `options.keymaps`; false: nothing to act on.
function M.set(bufnr, actions)
  for name, act in pairs(actions) do
    local key = options.current.keymaps[name]
    if key then
      local otherwise = fallback(key)
      vim.keymap.set('i', key, function()
        if act() == false then
          return otherwise()
        end
        return '<C-g>u' -- what is taken can be undone by itself
      end, { buffer = bufnr, expr = true, desc = DESCRIPTION .. name:gsub('_', ' ') })
    end
  end
end

---@param bufnr integer
function M.remove(bufnr)
  for _, key in pairs(options.current.keymaps) do
    if key then
      pcall(vim.keymap.del, 'i', key, { buffer = bufnr })
    end
  end
end

return M
