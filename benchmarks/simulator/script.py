"""The pace's script without a Redis: the very same Lua text, run in this process.

A round trip to a real server costs more than all else that a simulated call does, and a thousand simulated minutes are
a million of them. So this stands in for the server: it knows the commands the script uses, and hands over arguments and
replies as the client library does. That both answer alike is tested (tests/kavenegar/test_pace_lua.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from lupa import lua51  # type: ignore[import-untyped]

Reply = list[int] | bytes
Script = Callable[[Sequence[str], Sequence[str | float]], Reply]

# A hash is kept as the list that HGETALL answers, changed in place: making one anew would be half of the time.
# Nothing expires: in a simulation nobody is idle for an hour.
_SERVER = """
local to_json = ...
local hashes, places = {}, {}
local commands = {}

function commands.HGETALL(key) return hashes[key] or {} end

function commands.HSET(key, ...)
  local hash, place = hashes[key] or {}, places[key] or {}
  hashes[key], places[key] = hash, place
  for i = 1, select('#', ...), 2 do
    local field, value = select(i, ...)
    if not place[field] then
      place[field] = #hash + 2
      hash[#hash + 1] = field
    end
    hash[place[field]] = value
  end
end

function commands.PEXPIRE() end

redis = { call = function(command, ...) return commands[command](...) end }
cjson = { encode = to_json }

return function(text)
  local script = assert(loadstring(text, '@pace'))
  return function(key, ...)
    KEYS, ARGV = { key }, { ... }
    return script()
  end
end
"""


class LuaRedis:
    """As much of `redis.Redis` as `Throttle` uses; it keeps what the script stores until it is forgotten itself."""

    def __init__(self) -> None:
        self._load = lua51.LuaRuntime(register_eval=False).execute(_SERVER, _to_json)

    def register_script(self, text: str) -> Script:
        run = self._load(text)

        def call(keys: Sequence[str], args: Sequence[str | float]) -> Reply:
            return _reply(run(*keys, *map(_argument, args)))

        return call


def _argument(value: str | float) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _reply(value: Any) -> Reply:
    """As Redis answers: a fraction is cut off a number."""
    return value.encode() if isinstance(value, str) else [int(number) for number in value.values()]


def _to_json(value: Any) -> str:
    return orjson.dumps(_plain(value)).decode()


def _plain(value: Any) -> Any:
    """A Lua table as a dict; a number without a fraction is whole, for Lua knows no other."""
    if lua51.lua_type(value) == "table":
        return {name: _plain(inner) for name, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
