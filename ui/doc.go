// Package ui is the full-screen console: one Bubble Tea model, its keymap, its
// modes, and the life of the terminal around it.
//
// Its rules:
//
//   - There is one model. Only Update changes it; View changes nothing but its
//     own cache of drawn rows. Renderers in package panes are pure.
//   - Nothing blocks Update. Readings are derived in the goroutine of the command
//     that brings them; Update swaps in a new immutable Picture.
//   - There is one mode at a time, from one enum, and one table of keys from
//     which footer, help and palette are made. A key that does not work now says
//     why.
//   - A key acts on the component that was drawn when it was pressed: what is
//     remembered is an id, never a place in a list.
//   - Nobody is told that something happened before it is durable: what a key
//     records goes to the Book in a command, one after another, and shows when
//     the case that holds it comes back. What is not recorded says so until
//     someone answers.
//   - Evidence is settled as it was seen: a step whose evidence has changed since
//     it was drawn is shown again first, a key held down settles nothing, and what
//     a key opened it does not confirm.
//   - The console reads only. It knows no check, client or action: it declares the
//     small interfaces that it needs and is handed them.
//   - The terminal is restored on every way out: quit, a fault in any goroutine
//     that Go started, SIGINT, SIGTERM and SIGHUP.
package ui
