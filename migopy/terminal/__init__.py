"""What a person sees on a terminal or in a log, and how far a loop is.

The function `progress` is not handed out here: it would hide the room of its name.
"""

from migopy.terminal.bars import DISPLAY as DISPLAY
from migopy.terminal.board import board as board
from migopy.terminal.board import is_for_board as is_for_board
from migopy.terminal.console import ColorsLogger as ColorsLogger
from migopy.terminal.console import Str as Str
from migopy.terminal.console import duration as duration
from migopy.terminal.console import is_coloured as is_coloured
from migopy.terminal.console import is_terminal as is_terminal
from migopy.terminal.console import table as table
from migopy.terminal.console import table_rows as table_rows
from migopy.terminal.console import texts_of as texts_of
from migopy.terminal.console import width as width
from migopy.terminal.console import wrapped as wrapped
from migopy.terminal.figures import how_far as how_far
from migopy.terminal.helm import HELM as HELM
from migopy.terminal.helm import Meter as Meter
from migopy.terminal.lines import put_back as put_back
from migopy.terminal.lines import spoken_by as spoken_by
from migopy.terminal.lines import unnamed as unnamed
from migopy.terminal.lines import whole_lines as whole_lines
from migopy.terminal.progress import LINE_EVERY as LINE_EVERY
from migopy.terminal.progress import SILENCE as SILENCE
from migopy.terminal.progress import count_no_more as count_no_more
from migopy.terminal.progress import counted_by as counted_by
from migopy.terminal.progress import meter as meter
from migopy.terminal.progress import say as say
from migopy.terminal.progress import told_by as told_by
from migopy.terminal.progress import unheard as unheard
from migopy.terminal.progress import wait_for as wait_for
from migopy.terminal.stdout import STDOUT as STDOUT
from migopy.terminal.stdout import WriteLine as WriteLine
from migopy.terminal.stdout import keep_stdout_for_good as keep_stdout_for_good
from migopy.terminal.stdout import kept_stdout as kept_stdout
from migopy.terminal.stdout import open_again as open_again
from migopy.terminal.totals import total_of as total_of
