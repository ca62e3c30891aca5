/** Packages of hosts that hold stores, and of operations on them: in their image, since the mirror's time is none of theirs. */
export const storePackages: readonly string[] = [
  "acl",
  "attr",
  "ceph-fuse",
  "ceph-mds",
  "ceph-mgr",
  "ceph-mon",
  "ceph-osd",
  "glusterfs-client",
  "glusterfs-server",
  "restic",
  "rsync",
  "sudo",
];
