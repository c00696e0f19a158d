// Package panes draws: plain values in, rows of text out. A row is exactly as
// many cells wide as the frame it was drawn for.
//
// Its rules:
//
//   - A renderer is a pure function of its arguments. It reads no clock, keeps
//     nothing and does no I/O; the same arguments give the same rows, so that
//     the console can keep them until what they show has changed.
//   - It is said in words. Glyph and colour repeat what the word says; colours
//     come from package theme and nowhere else.
//   - No component, choice or row of text is hidden without saying so: what does
//     not fit is counted ("+2 more ↓") and what is cut ends in an ellipsis.
//   - The size decides how many figures are shown, never how big. The worst is
//     given room first; the detail always has all of them.
//   - Of what is to be done exactly one step has a heavy frame, with the whole of
//     its evidence; what has regressed, is over its time or overdue is louder, and
//     of everything else at most the sign is coloured.
//   - Text from outside is stripped of control characters here as well, and in
//     share mode hosts, account ids and ARNs are masked here and nowhere later.
package panes
