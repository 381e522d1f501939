import { render } from "preact";
import { App } from "./app";
import { PANELS } from "./panels/all";
import { followTab } from "./shell/tab";
import { followTheme } from "./shell/theme";
import { start } from "./store";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/page.css";
import "./style/charts.css";
import "./style/tables.css";
import "./style/states.css";

followTheme();
followTab();
start(PANELS);
render(<App />, document.getElementById("app") as HTMLElement);
