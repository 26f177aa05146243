-- What the server told last: the joules of a completion, and how it fares.

local M = {}

---@class greencode.Energy The notification `greencode/energy`; what is not known is absent.
---@field joules? number
---@field joulesFull? number
---@field source string
---@field tokens integer
---@field meanExitLayer? number
---@field layers integer
---@field latencyMs number
---@field cached boolean
---@field profile string
---@field model string
---@field today greencode.Day

---@class greencode.Day
---@field wattHours? number
---@field savedWattHours? number
---@field completions integer
---@field gramsCo2e? number
---@field gridFactor { name: string, gramsPerKwh: number }

---@class greencode.Status The notification `greencode/status`.
---@field kind 'normal'|'warning'|'error'|'inactive'
---@field busy boolean
---@field message string

---@type greencode.Energy?
M.energy = nil
---@type greencode.Status?
M.status = nil

---Removes the nulls of JSON, at any depth.
local function without_nulls(value)
  if type(value) ~= 'table' then
    return value
  end
  local kept = {}
  for key, inner in pairs(value) do
    if inner ~= vim.NIL then
      kept[key] = without_nulls(inner)
    end
  end
  return kept
end

---@param event string
---@param data table?
local function announce(event, data)
  vim.api.nvim_exec_autocmds('User', { pattern = event, data = data, modeline = false })
  vim.cmd.redrawstatus()
end

---@param energy table As it came over the wire.
function M.set_energy(energy)
  M.energy = without_nulls(energy)
  announce('GreencodeEnergy', M.energy)
end

---@param status greencode.Status? nil once no server runs
function M.set_status(status)
  M.status = status
  announce('GreencodeStatus', status)
end

---Returns a number with two significant digits and its unit; `? J` where it is not known.
---@param value number?
---@param unit string
---@return string
function M.quantity(value, unit)
  if value == nil then
    return '? ' .. unit
  end
  if value ~= 0 and math.abs(value) < 0.1 then
    value, unit = value * 1000, 'm' .. unit
  end
  local size = math.abs(value)
  local digits = (value == 0 or size >= 10) and 0 or size >= 1 and 1 or 2
  return ('%.' .. digits .. 'f %s'):format(value, unit)
end

---Returns the share of full depth's energy that was not spent, in whole percent; nil where it is not known.
---@param energy greencode.Energy
---@return integer?
function M.saved_percent(energy)
  if energy.joules == nil or energy.joulesFull == nil or energy.joulesFull <= 0 then
    return nil
  end
  return math.floor((1 - energy.joules / energy.joulesFull) * 100 + 0.5)
end

---Returns `~1.8 J · -41%`: a tilde marks an estimate, and a saving that rounds to nothing is not shown.
---@param energy greencode.Energy
---@return string
function M.in_words(energy)
  local estimated = energy.joules ~= nil and energy.source == 'estimate'
  local joules = (estimated and '~' or '') .. M.quantity(energy.joules, 'J')
  local saved = M.saved_percent(energy)
  return (saved == nil or saved == 0) and joules or ('%s · %+d%%'):format(joules, -saved)
end

---Returns what a status line shows: the last completion's energy, or why there is none; '' without a server.
---@return string
function M.statusline()
  local status = M.status
  if status == nil then
    return ''
  end
  if status.kind ~= 'normal' then
    return 'greencode: ' .. status.message
  end
  if M.energy == nil then
    return status.busy and 'greencode: loading' or 'greencode'
  end
  return M.in_words(M.energy)
end

return M
