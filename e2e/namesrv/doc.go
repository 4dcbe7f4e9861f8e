// Package namesrv tests bin/namesrv over a DynamoDB table: several processes
// that share it, and what is left when one of them is killed.
package namesrv
