-- What a user may set, with defaults.

local M = {}

---@class greencode.Keymaps Insert-mode keys; false for none.
---@field accept string|false
---@field accept_word string|false
---@field accept_line string|false
---@field next string|false
---@field previous string|false
---@field dismiss string|false
---@field suggest string|false

---@class greencode.Options
---@field cmd? string[] How to start the server; `greencode-lsp` on the PATH unless set.
---@field filetypes? string[] Where to complete; everywhere unless set.
---@field settings table The server's settings, as in the README: profile, maxTokens, ...
---@field automatic boolean Suggest while typing; false: only when asked to.
---@field keymaps greencode.Keymaps

---@type greencode.Options
local defaults = {
  settings = {},
  automatic = true,
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    suggest = '<M-Bslash>',
  },
}

---@type greencode.Options
M.current = vim.deepcopy(defaults)

---Takes options over the defaults; an error names the one that makes no sense.
---@param given? table
function M.set(given)
  given = given or {}
  vim.validate('options', given, 'table')
  local known = vim.tbl_extend('keep', { cmd = true, filetypes = true }, defaults)
  for name in pairs(given) do
    if known[name] == nil then
      error(('greencode: there is no option %q; there are: %s'):format(name, M.names(known)), 0)
    end
  end
  vim.validate('cmd', given.cmd, 'table', true)
  vim.validate('filetypes', given.filetypes, 'table', true)
  vim.validate('settings', given.settings, 'table', true)
  vim.validate('automatic', given.automatic, 'boolean', true)
  vim.validate('keymaps', given.keymaps, 'table', true)
  for name in pairs(given.keymaps or {}) do
    if defaults.keymaps[name] == nil then
      error(('greencode: no key is called %q; there are: %s'):format(name, M.names(defaults.keymaps)), 0)
    end
  end
  M.current = vim.tbl_deep_extend('force', defaults, given)
end

---@param set table<string, any>
---@return string
function M.names(set)
  local names = vim.tbl_keys(set)
  table.sort(names)
  return table.concat(names, ', ')
end

return M
