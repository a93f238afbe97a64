// A page that does not exist has nothing to load.

import { run } from "./api.js";

await run(async () => {});
