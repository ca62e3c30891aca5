import { artifacts } from "../artifacts/artifacts.provider.ts";
import { image } from "../artifacts/image.provider.ts";
import { controlPlaneMember } from "../kubeadm/control-plane-member.provider.ts";
import { worker } from "../kubeadm/worker.provider.ts";
import { host } from "../lab/host.provider.ts";
import { image as labImage } from "../lab/image.provider.ts";
import { network } from "../lab/network.provider.ts";
import { backup } from "../operations/backup.provider.ts";
import { migration } from "../operations/migration.provider.ts";
import { restore } from "../operations/restore.provider.ts";
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
  certificate,
  controlPlaneMember,
  directory,
  host,
  hostState,
  image,
  keyPair,
  labImage,
  migration,
  network,
  password,
  preflight,
  restore,
  space,
  worker,
];
