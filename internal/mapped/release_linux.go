package mapped

import (
	"os"
	"syscall"
)

// release is for a mapping that begins at a page and that nothing was written
// to.
func release(data, size uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, data, size, syscall.MADV_DONTNEED); errno != 0 {
		return os.NewSyscallError("madvise", errno)
	}
	return nil
}
