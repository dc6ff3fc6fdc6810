"""What commands do to a site, a room each; those that act are imported late."""

from migopy.operations.orders import (
    ChangedMeanwhile,
    DoesNotFit,
    FailedBefore,
    LeftOut,
    NothingHere,
    NothingToPutRight,
    Order,
    Trial,
    narrowed,
    order_baseline,
    order_down,
    order_up,
    order_work,
    pending,
    trial,
)

__all__ = [
    'ChangedMeanwhile',
    'DoesNotFit',
    'FailedBefore',
    'LeftOut',
    'NothingHere',
    'NothingToPutRight',
    'Order',
    'Trial',
    'narrowed',
    'order_baseline',
    'order_down',
    'order_up',
    'order_work',
    'pending',
    'trial',
]
