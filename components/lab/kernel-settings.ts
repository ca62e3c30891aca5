/** What kubelet sets on its machine unless it finds it so, by the path below /proc/sys. */
export const kubeletSettings: Readonly<Record<string, string>> = {
  "kernel/keys/root_maxbytes": "25000000",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
};

/**
 * Shell of a lab host, as root: of the kernel's settings those of the network and of System V IPC
 * are the host's own and the rest is the computer's, which it must not change. kubelet ends when it
 * cannot set its own, so the host reads those as set.
 */
export const kernelSettingsScript = `if ! mountpoint -q /proc/sys; then
  mount --bind /proc/sys /proc/sys
  # Else each mount below shows again on /proc, whose mounts are shared.
  mount --make-private /proc/sys
  cd /proc/sys
  for own in net fs/mqueue kernel/msg* kernel/sem kernel/shm*; do
    [ ! -e "$own" ] || mount --bind "$own" "$own"
  done
  mount -o remount,bind,ro /proc/sys
  mkdir -p /run/lab-kernel-settings
  cd /run/lab-kernel-settings
${Object.entries(kubeletSettings)
  .map(([path, value]) => {
    const file = path.replaceAll("/", ".");
    return `  echo ${value} >${file}\n  mount --bind ${file} /proc/sys/${path}\n  mount -o remount,bind,ro /proc/sys/${path}\n`;
  })
  .join("")}  cd /
fi
`;
