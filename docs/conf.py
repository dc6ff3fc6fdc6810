"""How Sphinx makes a site of these pages: `sphinx-build -W docs build/docs`."""

from migopy.version import VERSION

project = 'Migopy'
author = 'the authors of Migopy'
version = release = VERSION

html_theme = 'furo'
html_title = f'Migopy {VERSION}'
# Most blocks are what a terminal shows.
highlight_language = 'none'
html_show_sourcelink = False
html_show_copyright = False
