// Package ident parses and checks the identifiers that Chinese government data is filed under: regions, unified social
// credit codes, citizen identity numbers, e-certificate identifiers, service item codes and resource codes. It also holds
// the masks that hide most of such a value.
//
// Three rules hold for everything here:
//
//   - An error says what is wrong and where (a length, a position, a check character, an impossible date) and never repeats
//     the value: errors travel into logs and to callers, identity numbers must not.
//   - Parsing is strict unless a function's name says otherwise. A value that was accepted is stored, compared and digested
//     byte by byte later, so nothing is trimmed, folded or widened on the way in.
//   - Every function is pure, safe for concurrent use and linear in the length of its input.
//
// What a check character proves is small: that nobody mistyped. It does not prove that the person, organisation or
// e-certificate exists, and an attacker computes it as easily as this package does.
//
// Sources: GB/T 2260 (regions), GB 32100-2015 and GB 11714-1997 (USCC), GB 11643-1999 (citizen identity number), GB/T
// 36904-2018 (e-certificate identifier), ISO 7064 (check systems), GB/T 35273 (masks).
package ident
