// Package wire translates between the bodies of RocketMQ requests and
// responses and values of package core.
//
// RocketMQ writes bodies with fastjson, and so reads them with all of its
// leniency: member names without quotes, numbers as strings, single quotes,
// superfluous commas. What is read here is as lenient as peers need it to be,
// and bounded: nesting, topic counts and inflated sizes have limits, and no
// length that a peer states is believed before the bytes are there. What is
// written has the member order and the escapes of RocketMQ 5, and is the same
// for the same value: maps are written in the order of their keys.
//
// Decoders copy what they keep: no value refers to the body it came from.
package wire
