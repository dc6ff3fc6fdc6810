"""What commands do to a site, a room each; those that act are imported late."""

from migopy.operations.orders import (
    ChangedMeanwhile,
    DoesNotFit,
    DryRun,
    LeftOut,
    NothingHere,
    NothingToPutRight,
    Order,
    order_baseline,
    order_down,
    order_up,
    order_work,
    pending,
    wanted_dry_run,
)

__all__ = [
    'ChangedMeanwhile',
    'DoesNotFit',
    'DryRun',
    'LeftOut',
    'NothingHere',
    'NothingToPutRight',
    'Order',
    'order_baseline',
    'order_down',
    'order_up',
    'order_work',
    'pending',
    'wanted_dry_run',
]
