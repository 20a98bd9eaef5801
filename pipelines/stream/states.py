"""The state that Flink keeps for each key of the stream's steps: bags, values and timers, and how Beam finds them."""

from typing import Any, Final

import apache_beam as beam
from apache_beam.coders import BooleanCoder, BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

SEGMENTS: Final = BagStateSpec("segments", BytesCoder())
TOKEN: Final = ReadModifyWriteStateSpec("token", BytesCoder())
ARRIVED: Final = BagStateSpec("arrived", BytesCoder())
ARMED: Final = ReadModifyWriteStateSpec("armed", BooleanCoder())
# A timer's specification also holds its callback, so each step has its own.
FOLD_DUE: Final = TimerSpec("fold due", TimeDomain.REAL_TIME)
WRITE_DUE: Final = TimerSpec("write due", TimeDomain.REAL_TIME)
# Beam finds states, the timer and the key by these defaults.
SEGMENTS_OF: Any = beam.DoFn.StateParam(SEGMENTS)
TOKEN_OF: Any = beam.DoFn.StateParam(TOKEN)
ARRIVED_OF: Any = beam.DoFn.StateParam(ARRIVED)
ARMED_OF: Any = beam.DoFn.StateParam(ARMED)
FOLD_TIMER: Any = beam.DoFn.TimerParam(FOLD_DUE)
WRITE_TIMER: Any = beam.DoFn.TimerParam(WRITE_DUE)
KEY: Any = beam.DoFn.KeyParam


def in_global_window(value: Any) -> WindowedValue:
    """Wraps a value that a step yields at the end of a bundle."""
    return WindowedValue(value, GlobalWindow().max_timestamp(), (GlobalWindow(),))
