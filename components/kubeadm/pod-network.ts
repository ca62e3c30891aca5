/* What ways of pod networking have in common on a host: daemons, and traces that these do not take away. */

/** Before a join or init: the daemons, which a leave may have stopped. */
export const START_POD_NETWORK = `
for unit in flanneld cilium-agent cilium-operator; do
  if [ -e "/etc/systemd/system/$unit.service" ]; then systemctl start "$unit"; fi
done
`;

/** When the host leaves for good: nobody may put back what is taken away. */
export const STOP_POD_NETWORK = `
systemctl stop flanneld cilium-operator cilium-agent 2>/dev/null || :
for tool in iptables ip6tables; do
  command -v $tool-save >/dev/null || continue
  $tool-save 2>/dev/null | grep -Ev '(KUBE-|CNI-|FLANNEL|CILIUM_)' | $tool-restore 2>/dev/null || :
done
for link in cni0 flannel.1 cilium_host cilium_vxlan $(ip -o link | sed -n 's/^[0-9]*: \\(lxc[0-9a-f_]*\\)@.*/\\1/p'); do
  ip link delete "$link" 2>/dev/null || :
done
if [ -e /run/cilium ]; then
  # A program stays attached as long as its pin; kernels before 6.6 pin none on devices.
  rm -rf /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium_*
  for link in $(ip -o link | sed -n 's/^[0-9]*: \\([^:@]*\\).*/\\1/p'); do
    ! tc filter show dev "$link" ingress 2>/dev/null | grep -q ' cil_' || tc qdisc delete dev "$link" clsact
  done
  # The kernel's own routes have no gateway: those that do are Cilium's to other nodes' pods.
  ip -4 route show proto kernel | grep ' via ' | while read -r route; do ip route delete $route || :; done
  umount /run/cilium/cgroupv2 2>/dev/null || :
  rm -rf /run/cilium
fi
`;
