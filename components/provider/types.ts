import { artifacts } from "../artifacts/artifacts.provider.ts";
import { image } from "../artifacts/image.provider.ts";
import { blockPool } from "../ceph/block-pool.provider.ts";
import { client } from "../ceph/client.provider.ts";
import { devices } from "../ceph/devices.provider.ts";
import { fileSystem } from "../ceph/filesystem.provider.ts";
import { monitor } from "../ceph/monitor.provider.ts";
import { objectStore } from "../ceph/object-store.provider.ts";
import { objectUser } from "../ceph/object-user.provider.ts";
import { osd } from "../ceph/osd.provider.ts";
import { subvolumeSnapshot } from "../ceph/snapshot.provider.ts";
import { subvolume } from "../ceph/subvolume.provider.ts";
import { peer } from "../gluster/peer.provider.ts";
import { status } from "../gluster/status.provider.ts";
import { glusterVolume } from "../gluster/volume.provider.ts";
import { controlPlaneMember } from "../kubeadm/control-plane-member.provider.ts";
import { worker } from "../kubeadm/worker.provider.ts";
import { host } from "../lab/host.provider.ts";
import { image as labImage } from "../lab/image.provider.ts";
import { network } from "../lab/network.provider.ts";
import { backup } from "../operations/backup.provider.ts";
import { migration } from "../operations/migration.provider.ts";
import { restore } from "../operations/restore.provider.ts";
import { snapshotRestore } from "../operations/snapshot-restore.provider.ts";
import { authority } from "../secrets/authority.provider.ts";
import { certificate } from "../secrets/certificate.provider.ts";
import { keyPair } from "../secrets/key-pair.provider.ts";
import { password } from "../secrets/password.provider.ts";
import { hostState } from "../ssh/host-state.provider.ts";
import { preflight } from "../ssh/preflight.provider.ts";
import { directory } from "../store/directory.provider.ts";
import { space } from "../store/space.provider.ts";

/** Every resource type of the plugin. */
export const resourceTypes = [
  artifacts,
  authority,
  backup,
  blockPool,
  certificate,
  client,
  controlPlaneMember,
  devices,
  directory,
  fileSystem,
  glusterVolume,
  host,
  hostState,
  image,
  keyPair,
  labImage,
  migration,
  monitor,
  network,
  objectStore,
  objectUser,
  osd,
  password,
  peer,
  preflight,
  restore,
  snapshotRestore,
  space,
  subvolume,
  subvolumeSnapshot,
  status,
  worker,
];
