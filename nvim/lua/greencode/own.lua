-- Inline completion for Neovim 0.11, which has none: asks while a person types, and draws the answer.

local editing = require('greencode.editing')
local ghost = require('greencode.ghost')
local options = require('greencode.options')
local server = require('greencode.server')
local suggestion = require('greencode.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2

---@class greencode.Place Where a suggestion was asked for.
---@field row integer
---@field col integer
---@field before string The line up to the cursor.
---@field behind string The rest of the line.

---@class greencode.Shown
---@field place greencode.Place
---@field items greencode.Item[]
---@field index integer
---@field invoked boolean Whether the items are all that the server has.

---@class greencode.Buffer
---@field tick integer The buffer's change count that was last looked at.
---@field request? integer
---@field shown? greencode.Shown
---@field told table<string, boolean> The completions that the server knows were shown.

---@type table<integer, greencode.Buffer>
local buffers = {}

---@return greencode.Place
local function cursor_place()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  return { row = row - 1, col = col, before = line:sub(1, col), behind = line:sub(col + 1) }
end

---Returns what remains of the shown item at the cursor; nil when the cursor has left it or something else was typed.
---@param shown greencode.Shown
---@return string?
local function rest_at_cursor(shown)
  local from, now = shown.place, cursor_place()
  if now.row < from.row or (now.row == from.row and now.col < from.col) or now.behind ~= from.behind then
    return nil
  end
  local line = vim.api.nvim_buf_get_lines(0, from.row, from.row + 1, true)[1]
  if line:sub(1, from.col) ~= from.before then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(0, from.row, from.col, now.row, now.col, {})
  return suggestion.rest(shown.items[shown.index].insertText, table.concat(typed, '\n'))
end

---Returns the text behind the cursor that an item replaces.
---@param shown greencode.Shown
---@return string
local function replaced_by(shown)
  local range, client = shown.items[shown.index].range, server.client()
  if range == nil or client == nil then
    return ''
  end
  local units = range['end'].character - range.start.character
  local behind = shown.place.behind
  return behind:sub(1, vim.str_byteindex(behind, client.offset_encoding, units, false))
end

---@param bufnr integer
local function hide(bufnr)
  buffers[bufnr].shown = nil
  ghost.clear(bufnr)
end

---@param bufnr integer
local function cancel(bufnr)
  local buffer, client = buffers[bufnr], server.client()
  if buffer.request and client then
    client:cancel_request(buffer.request)
  end
  buffer.request = nil
end

---Tells the server once that an item is on the screen.
---@param bufnr integer
---@param item greencode.Item
local function tell_shown(bufnr, item)
  local id, client = vim.tbl_get(item, 'command', 'arguments', 1), server.client()
  if id and client and not buffers[bufnr].told[id] then
    buffers[bufnr].told[id] = true
    client:notify('textDocument/didShowCompletion', { item = item })
  end
end

---Draws what remains of the shown item; false when it no longer fits.
---@param bufnr integer
---@return boolean
local function draw(bufnr)
  local shown = buffers[bufnr].shown
  local rest = shown and rest_at_cursor(shown)
  if shown == nil or rest == nil then
    return false
  end
  local now = cursor_place()
  local count = #shown.items > 1 and ('%d/%d'):format(shown.index, #shown.items) or nil
  ghost.draw(bufnr, now.row, now.col, rest, replaced_by(shown), count)
  tell_shown(bufnr, shown.items[shown.index])
  return true
end

---@param bufnr integer
---@param kind integer
---@param select? integer The index of the item to show.
local function ask(bufnr, kind, select)
  local client, buffer = server.client(), buffers[bufnr]
  if client == nil then
    return
  end
  cancel(bufnr)
  local place = cursor_place()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local sent, request
  sent, request = client:request(METHOD, params, function(_, result)
    if buffer.request ~= request then
      return
    end
    buffer.request = nil
    local items = result and (result.items or result) or {}
    local inserting = vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' and vim.api.nvim_get_current_buf() == bufnr
    if #items == 0 or not inserting then
      return
    end
    for _, item in ipairs(items) do
      item.insertText = suggestion.plain(item.insertText)
    end
    local index = select and (select - 1) % #items + 1 or 1
    buffer.shown = { place = place, items = items, index = index, invoked = kind == INVOKED }
    if not draw(bufnr) then
      hide(bufnr)
    end
  end, bufnr)
  buffer.request = sent and request or nil
end

---Follows the typist: the rest of a suggestion stays while its text is typed; other new text asks for another one.
---@param bufnr integer
local function follow(bufnr)
  local buffer, tick = buffers[bufnr], vim.api.nvim_buf_get_changedtick(bufnr)
  local changed = tick ~= buffer.tick
  buffer.tick = tick
  if vim.fn.pumvisible() == 1 then
    ghost.clear(bufnr) -- the menu has the floor; what it inserts is a change that is asked about
    return
  end
  if draw(bufnr) then
    return
  end
  hide(bufnr)
  if changed and options.current.automatic then
    ask(bufnr, AUTOMATIC)
  end
end

---Looks after a buffer from now on.
---@param bufnr integer
function M.start(bufnr)
  if buffers[bufnr] then
    return
  end
  buffers[bufnr] = { tick = vim.api.nvim_buf_get_changedtick(bufnr), told = {} }
  local group = vim.api.nvim_create_augroup('greencode.' .. bufnr, {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, function()
    follow(bufnr)
  end)
  on({ 'InsertLeave', 'BufLeave' }, function()
    cancel(bufnr)
    hide(bufnr)
  end)
  -- Changes in normal mode are no typing: entering insert mode after them asks for nothing.
  on({ 'TextChanged', 'CursorMoved', 'BufEnter', 'InsertLeave' }, function()
    buffers[bufnr].tick = vim.api.nvim_buf_get_changedtick(bufnr)
  end)
end

---Leaves a buffer alone.
---@param bufnr integer
function M.stop(bufnr)
  if buffers[bufnr] then
    vim.api.nvim_del_augroup_by_name('greencode.' .. bufnr)
    if vim.api.nvim_buf_is_valid(bufnr) then
      hide(bufnr)
    end
    buffers[bufnr] = nil
  end
end

---Takes a part of the suggestion on the screen, once Neovim allows edits again; false when there is none.
---@param part greencode.Part
---@return boolean
function M.take(part)
  local bufnr = vim.api.nvim_get_current_buf()
  local shown = buffers[bufnr] and buffers[bufnr].shown
  if shown == nil or rest_at_cursor(shown) == nil then
    return false
  end
  vim.schedule(function()
    local rest = rest_at_cursor(shown)
    if rest and editing.take(shown.items[shown.index], rest, part, #replaced_by(shown)) then
      hide(bufnr)
    elseif rest then
      draw(bufnr)
    end
  end)
  return true
end

---Shows another of the server's suggestions, which are asked for the first time.
---@param step integer
---@return boolean
function M.cycle(step)
  local bufnr = vim.api.nvim_get_current_buf()
  local shown = buffers[bufnr] and buffers[bufnr].shown
  if shown == nil then
    return false
  end
  local wanted = shown.index + step
  vim.schedule(function()
    if not shown.invoked then
      ask(bufnr, INVOKED, wanted)
    else
      shown.index = (wanted - 1) % #shown.items + 1
      draw(bufnr)
    end
  end)
  return true
end

---Takes the suggestion off the screen; false when there is none.
---@return boolean
function M.dismiss()
  local bufnr = vim.api.nvim_get_current_buf()
  local buffer = buffers[bufnr]
  if buffer == nil or (buffer.shown == nil and buffer.request == nil) then
    return false
  end
  vim.schedule(function()
    cancel(bufnr)
    hide(bufnr)
  end)
  return true
end

---Asks for suggestions here and now.
function M.suggest()
  local bufnr = vim.api.nvim_get_current_buf()
  if buffers[bufnr] then
    vim.schedule(function()
      ask(bufnr, INVOKED)
    end)
  end
end

return M
