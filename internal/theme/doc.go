// Package theme is the palette of the console as tokens. No colour is named
// anywhere else: what draws asks for the token of what it means (a failure, a
// title, a key) and gets a terminal sequence that was put together once.
//
// Its rules:
//
//   - It is a leaf and pure: it imports nothing of the product, reads no
//     environment and writes nothing. Colours are true colour; the renderer
//     brings them down to what the terminal can show.
//   - Every token that carries a live figure has a contrast of at least 7:1
//     against what it is drawn on, in every theme with true colour. A test
//     computes it, and names what falls below in a terminal of 256 colours: the
//     light theme's warning, at 6.72:1.
//   - Colour never carries meaning alone: each status has a glyph one cell wide
//     and a word beside it. OK is blue, not green. Nothing blinks, nothing is
//     faint.
package theme
