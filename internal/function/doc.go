// Package function is what the Lambda functions are made of: their settings,
// their way from an event to a handler and back, who calls, what is logged and
// measured. The functions themselves only choose from it.
package function
