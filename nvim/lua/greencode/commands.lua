-- `:Greencode ...`

local meter = require('greencode.meter')
local options = require('greencode.options')
local server = require('greencode.server')

local M = {}

local PROFILES = { 'auto', 'eco', 'balanced', 'exact', 'full' }

local function say(...)
  vim.notify(table.concat({ ... }, '\n'))
end

---@param minutes? string
local function pause(minutes)
  local number = tonumber(minutes or 30)
  if number == nil then
    vim.notify(('greencode: minutes to pause are a number, not %q'):format(minutes), vim.log.levels.ERROR)
    return
  end
  server.execute('pause', { number })
end

---@param name? string
local function profile(name)
  if name then
    server.execute('setProfile', { name })
    return
  end
  vim.ui.select(PROFILES, { prompt = 'greencode: profile' }, function(chosen)
    if chosen then
      server.execute('setProfile', { chosen })
    end
  end)
end

---Says what the last completion and the day took.
local function energy()
  server.execute('stats', nil, function(stats)
    local day = stats.today ~= vim.NIL and stats.today or {}
    local function amount(value, unit)
      return meter.quantity(value ~= vim.NIL and value or nil, unit)
    end
    local factor = day.gridFactor or { name = '?' }
    say(
      'last:  ' .. (meter.energy and meter.in_words(meter.energy) or 'no completion yet'),
      ('today: %s used, %s saved against full depth, %s completions'):format(
        amount(day.wattHours, 'Wh'),
        amount(day.savedWattHours, 'Wh'),
        day.completions or '?'
      ),
      ('       %s CO2e (%s, %s g/kWh)'):format(amount(day.gramsCo2e, 'g'), factor.name, factor.gramsPerKwh or '?')
    )
  end)
end

local function status()
  local now = meter.status
  say(now == nil and 'greencode: no server runs' or ('greencode: %s (%s)'):format(now.message, now.kind))
end

---@type table<string, { run: fun(argument?: string), arguments?: string[] }>
local subcommands = {
  status = { run = status },
  pause = { run = pause, arguments = { '5', '30', '60', '480' } },
  resume = {
    run = function()
      server.execute('resume')
    end,
  },
  profile = { run = profile, arguments = PROFILES },
  energy = { run = energy },
  suggest = {
    run = function()
      require('greencode').suggest()
    end,
  },
  enable = {
    run = function()
      server.enable(options.current)
    end,
  },
  disable = { run = server.disable },
  restart = {
    run = function()
      server.disable()
      vim.defer_fn(function()
        server.enable(options.current)
      end, 500)
    end,
  },
  doctor = {
    run = function()
      vim.cmd.checkhealth('greencode')
    end,
  },
  log = {
    run = function()
      vim.cmd.tabedit(vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path())
    end,
  },
}

---@param call { fargs: string[] }
function M.run(call)
  local name, argument = call.fargs[1] or 'status', call.fargs[2]
  local subcommand = subcommands[name]
  if subcommand == nil then
    local message = ('greencode: there is no %q; there are: %s'):format(name, options.names(subcommands))
    vim.notify(message, vim.log.levels.ERROR)
    return
  end
  subcommand.run(argument)
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local name = line:match('^%s*%S+%s+(%S+)%s')
  local choices = name and (subcommands[name] or {}).arguments or not name and vim.tbl_keys(subcommands) or {}
  local fitting = vim.tbl_filter(function(choice)
    return vim.startswith(choice, lead)
  end, choices)
  if not name then
    table.sort(fitting)
  end
  return fitting
end

return M
